import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import { showScannerAddress } from '../../src/model/scanner-address.ts';
import { eicar, gtube, messageWithFile, plainMessage } from '../../src/cli/telling-messages.ts';
import type { Clamd } from '../support/clamd.ts';
import { EICAR_NAME, startClamd } from '../support/clamd.ts';
import type { Act } from '../support/fake-scanner.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import { controlFolder, postern } from '../support/gateway.ts';
import type { Rspamd } from '../support/rspamd.ts';
import { startRspamd } from '../support/rspamd.ts';
import type { Spamd } from '../support/spamd.ts';
import { startSpamd } from '../support/spamd.ts';

type Answer = Readonly<Record<string, unknown>>;

/** Asks the probe, and gives its answers in the order of the requests. */
async function probe(requests: readonly object[], ...args: readonly string[]): Promise<Answer[]> {
  const input = requests.map((request, id) => `${JSON.stringify({ id, ...request })}\n`).join('');
  const done = await postern(['probe', ...args], { input });
  assert.equal(done.code, 0);
  assert.equal(done.stderr.toString(), '');
  const answers = done.stdout
    .toString()
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Answer);
  return requests.map((_, wanted) => {
    const { id, ...rest } = answers.find(answer => answer['id'] === wanted) ?? {};
    assert.equal(id, wanted);
    return rest;
  });
}

const base64 = (message: Buffer) => message.toString('base64');
const CLEAN = base64(plainMessage('Lunch', 'At noon, as ever?'));
const VIRUS = base64(messageWithFile('The file', 'a.dat', Buffer.from(eicar(), 'latin1')));
const SPAM = base64(plainMessage('Buy', gtube()));

let clamd: Clamd;
let spamd: Spamd;
let rspamd: Rspamd;
const at = (address: ScannerAddress) => showScannerAddress(address);

before(async () => {
  [clamd, spamd, rspamd] = await Promise.all([startClamd(), startSpamd(), startRspamd()]);
});
after(() => Promise.all([clamd, spamd, rspamd].map(program => program[Symbol.asyncDispose]())));

test('scan, spam and learn, with real scanners that the requests name', async () => {
  const askClamd = { op: 'scan', clamd: at(clamd.address) };
  const askSpamd = { op: 'spam', spamd: at(spamd.address) };
  const answers = await probe([
    { ...askClamd, message: CLEAN },
    { ...askClamd, message: VIRUS },
    { ...askClamd, clamd: [at(await deadAddress()), at(clamd.address)], message: VIRUS },
    { ...askSpamd, message: CLEAN },
    { ...askSpamd, message: SPAM },
    { op: 'spam', rspamd: at(rspamd.address), message: SPAM },
    { op: 'learn', spamd: at(spamd.address), message: CLEAN, spam: false },
  ]);
  const [clean, virus, second, ham, spam, rspam, learned] = answers;
  assert.deepEqual(clean, { infected: false });
  assert.deepEqual(virus, { infected: true, virus: EICAR_NAME });
  assert.deepEqual(second, virus);
  assert.equal(ham?.['spam'], false);
  assert.equal(typeof ham?.['score'], 'number');
  assert.equal(spam?.['spam'], true);
  assert.ok(Number(spam?.['score']) >= 999);
  assert.equal(rspam?.['spam'], true);
  assert.deepEqual(learned, {});
});

test('what is learned changes the score, and to learn it twice is no error', async () => {
  const text = plainMessage(
    'Tulips',
    'Quixotic zeppelins marinate seventeen tangerine xylophones, obviously.',
  );
  const message = base64(text);
  const spamc = async () => (await spamd.spamc(['--tests'], text)).stdout.toString();
  assert.doesNotMatch(await spamc(), /BAYES_9/);
  const learn = { op: 'learn', spamd: at(spamd.address), message, spam: true };
  const ham = { op: 'learn', spamd: at(spamd.address), message: CLEAN, spam: false };
  assert.deepEqual(await probe([ham]), [{}]);
  assert.deepEqual(await probe([learn]), [{}]);
  assert.deepEqual(await probe([learn]), [{}]);
  assert.match(await spamc(), /BAYES_9/);
  await using learner = await startRspamd(true);
  const { controller, password } = learner;
  const controlled = { rspamd: at(learner.address), rspamdcontroller: at(controller) };
  assert.deepEqual(
    await probe([{ op: 'learn', ...controlled, rspamdpassword: password, message, spam: true }]),
    [{}],
  );
  const [refused] = await probe([{ op: 'learn', ...controlled, message, spam: true }]);
  assert.match(String(refused?.['error']), /^failed: /);
});

test('without addresses in the request, those of --control are asked; without any, nobody', async () => {
  await using folder = await controlFolder({
    clamd: `${at(clamd.address)}\n`,
    spamd: `${at(spamd.address)}\n`,
  });
  const requests = [
    { op: 'scan', message: VIRUS },
    { op: 'spam', message: SPAM },
    { op: 'learn', message: SPAM, spam: true },
  ];
  const [virus, spam, learned] = await probe(requests, '--control', folder.control);
  assert.deepEqual(virus, { infected: true, virus: EICAR_NAME });
  assert.equal(spam?.['spam'], true);
  assert.deepEqual(learned, {});
  const none = { error: 'no spamd is set, and no rspamd' };
  assert.deepEqual(await probe(requests), [{ error: 'no clamd is set' }, none, none]);
  await folder.write('clamtime', 'soon\n');
  const [broken] = await probe(requests, '--control', folder.control);
  assert.match(String(broken?.['error']), /clamtime/);
});

test('requests that make no sense are told so', async () => {
  const answers = await probe([
    { op: 'scan', clamd: at(clamd.address) },
    { op: 'scan', clamd: at(clamd.address), message: 5 },
    { op: 'scan', clamd: 'nowhere', message: CLEAN },
    { op: 'scan', clamd: 7, message: CLEAN },
    { op: 'scan', clamd: [], message: CLEAN },
    { op: 'learn', spamd: at(spamd.address), message: CLEAN },
    { op: 'learn', spamd: at(spamd.address), message: CLEAN, spam: 'yes' },
  ]);
  for (const [i, wanted] of [
    /message is missing/,
    /message is missing/,
    /clamd: "nowhere" is not/,
    /clamd: wanted an address/,
    /no clamd is set/,
    /spam is missing/,
    /spam is missing/,
  ].entries())
    assert.match(String(answers[i]?.['error']), wanted);
});

/** Faults of clamd and spamd, and what a request is told. */
const FAULTS: readonly (readonly [op: string, act: Act, error: RegExp])[] = [
  ['scan', { when: all, say: 'stream: Out of memory ERROR\0', next: 'end' }, /^failed: /],
  ['scan', { when: all, say: 'hello\0', next: 'end' }, /^garbage: /],
  ['scan', { when: all, say: 'stream: O', next: 'end' }, /^cut: /],
  ['scan', { when: all, next: 'end' }, /^cut: /],
  ['spam', { when: all, say: 'SPAMD/1.1 74 EX_TEMPFAIL\r\n\r\n', next: 'end' }, /^failed: /],
  ['spam', { when: all, say: 'HTTP/1.0 200 OK\r\n\r\n', next: 'end' }, /^garbage: /],
  ['spam', { when: all, say: 'SPAMD/1.1 0 EX_OK\r\nSpam: Tr', next: 'end' }, /^cut: /],
  [
    'learn',
    { when: all, say: 'SPAMD/1.1 69 TELL commands are not enabled\r\n\r\n', next: 'end' },
    /^failed: /,
  ],
];

/** The end of a stream of clamd, or the last line of CLEAN. */
function all(heard: Buffer): boolean {
  return heard.includes('\0\0\0\0') || heard.includes('as ever?\r\n');
}

test('a scanner that fails is an error, never a clean message', async () => {
  await using stack = new AsyncDisposableStack();
  const requests: object[] = [];
  const ask = (op: string, scanner: string, address: ScannerAddress) =>
    requests.push({ op, [scanner]: at(address), message: CLEAN, spam: true });
  for (const [op, act] of FAULTS) {
    const fake = stack.use(await fakeScanner(act));
    ask(op, op === 'scan' ? 'clamd' : 'spamd', fake.address);
  }
  for (const scanner of ['clamd', 'spamd', 'rspamd'])
    ask(scanner === 'clamd' ? 'scan' : 'spam', scanner, await deadAddress());
  const answers = await probe(requests);
  for (const [i, answer] of answers.entries()) {
    assert.deepEqual(Object.keys(answer), ['error']);
    assert.match(String(answer['error']), FAULTS[i]?.[2] ?? /^refused: /);
  }
});

test('two hundred requests at once are all answered', async () => {
  const requests = Array.from({ length: 200 }, (_, i) => ({
    op: 'scan',
    clamd: at(clamd.address),
    message: i % 2 === 0 ? CLEAN : VIRUS,
  }));
  const answers = await probe(requests);
  for (const [i, answer] of answers.entries()) assert.equal(answer['infected'], i % 2 === 1, String(i));
});
