import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { at } from '../program/scanner-rig.ts';
import { EICAR, startClamd } from '../support/clamd.ts';
import type { Clamd } from '../support/clamd.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { controlFolder, postern } from '../support/gateway.ts';
import { startRspamd } from '../support/rspamd.ts';
import type { Rspamd } from '../support/rspamd.ts';
import { sampleMail } from '../support/sample-mail.ts';
import { startSpamd } from '../support/spamd.ts';
import type { Spamd } from '../support/spamd.ts';
import { mail } from '../support/virus-mail.ts';

let clamd: Clamd;
let spamd: Spamd;
let rspamd: Rspamd;
before(async () => {
  [clamd, spamd, rspamd] = await Promise.all([startClamd(), startSpamd(), startRspamd()]);
});
after(async () => {
  await Promise.all([clamd, spamd, rspamd].map(one => one[Symbol.asyncDispose]()));
});

/** What a drill prints of a message, and its exit code; nothing may be left behind. */
async function drill(
  scanner: string,
  files: ControlFiles,
  {
    message = sampleMail(),
    to = ['a@example.com'],
    client = '192.0.2.7',
    file = 'message.eml',
  }: { message?: Buffer; to?: readonly string[]; client?: string; file?: string } = {},
): Promise<{ code: number | null; lines: readonly string[] }> {
  await using folder = await controlFolder({ 'quarantine-events.txt': '# nothing\n', ...files });
  const path = join(folder.control, '..', file);
  await writeFile(join(folder.control, '..', 'message.eml'), message);
  const about = ['--message', path, '--client', client, ...to.flatMap(one => ['--rcpt', one])];
  const done = await postern([
    'drill',
    scanner,
    ...about,
    '--control',
    folder.control,
    '--state',
    folder.state,
  ]);
  assert.equal(done.stderr.toString(), '');
  assert.deepEqual(await readdir(folder.state), []);
  return { code: done.code, lines: done.stdout.toString().trimEnd().split('\n') };
}

const WAYS = [
  'nobody listens (refused)',
  'it hangs (timeout)',
  'it answers nonsense (garbage)',
  'it dies in the middle (cut)',
  'it reports an error (failed)',
  'the message is too big for it (limit)',
  'too many scans at a time (busy)',
  'it is left alone after several faults (resting)',
];

/** The lines of a drill: `now`, then `then` for each way to fail, but for those in `but`. */
function lines(now: string, then: string, but: Readonly<Record<string, string>> = {}): string[] {
  return [
    `as it is now: ${now}`,
    ...WAYS.map(way => `${way}: ${but[/\((\w+)\)/.exec(way)?.[1] ?? ''] ?? then}`),
  ];
}

const PASSED = 'message-accepted; 250 2.0.0 ok (continue)';

test('clamd: the mail waits; one that is too big for it is marked', async () => {
  const { code, lines: said } = await drill('clamd', { clamd: at(clamd) });
  assert.equal(code, 0);
  const waits = 'message-refused by CLAM; 451 4.7.1 temporary failure, try again later (defer)';
  const limit = 'message-accepted, marked CLAM_SIZE; 250 2.0.0 ok (continue)';
  assert.deepEqual(said, lines(PASSED, waits, { limit }));
});

test('clamd: a virus, and what `actions` makes of it', async () => {
  const files = { clamd: at(clamd), actions: 'error clam:quarantine\n', virusname: 'yes\n' };
  const { lines: said } = await drill('clamd', files, { message: mail(EICAR) });
  const now =
    'message-refused by CLAM_VIRUS; 554 5.7.1 Your email was rejected because it contains the Eicar-Test.UNOFFICIAL virus (reject)';
  const limit = 'message-accepted, marked CLAM_SIZE; 250 2.0.0 ok (continue)';
  assert.deepEqual(said, lines(now, 'message-held by CLAM; 250 2.0.0 ok (quarantine)', { limit }));
});

test('spamd and rspamd: the mail passes, marked', async () => {
  for (const files of [{ spamd: at(spamd) }, { rspamd: at(rspamd) }] as const) {
    const [scanner = ''] = Object.keys(files);
    const { code, lines: said } = await drill(scanner, { ...files, clamd: at(clamd) });
    assert.equal(code, 0);
    const [now = '', ...ways] = said;
    assert.match(now, /^as it is now: message-accepted.*; 250 2\.0\.0 ok \(continue\)$/);
    assert.deepEqual(ways, lines('', 'message-accepted, marked SPAM; 250 2.0.0 ok (continue)').slice(1));
  }
});

test('who does not ask for it is not touched by it', async () => {
  const files = { clamd: at(clamd), simcontrol: 'yes@example.com:clam=yes\nno@example.com:clam=no\n' };
  assert.deepEqual((await drill('clamd', files, { to: ['no@example.com'] })).lines, lines(PASSED, PASSED));
  const { lines: said } = await drill('clamd', files, { to: ['no@example.com', 'yes@example.com'] });
  assert.equal(said[1], 'nobody listens (refused): message-held by CLAM; 250 2.0.0 ok (continue, defer)');
});

test('what cannot be played through says why', async () => {
  for (const [scanner, options, why] of [
    ['sophie', {}, /^sophie is none of clamd, spamd, rspamd$/],
    ['spamd', {}, /^spamd is not set: no message waits for it, whatever happens to it$/],
    ['clamd', { client: 'localhost' }, /^localhost \(--client\) is not an IP address$/],
    ['clamd', { file: 'other.eml' }, /other\.eml: ENOENT/],
  ] as const) {
    const { code, lines: said } = await drill(scanner, { clamd: at(clamd) }, options);
    assert.equal(code, 2);
    assert.match(said.join('\n'), why);
  }
  const { code, lines: said } = await drill('clamd', { clamd: 'nowhere at all\n' });
  assert.equal(code, 2);
  assert.match(said[0] ?? '', /clamd:1: /);
});
