import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { showScannerAddress } from '../../src/model/scanner-address.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import type { RunningGateway } from '../support/gateway.ts';
import { controlFolder, postern, startGateway } from '../support/gateway.ts';
import { startSmtpSink } from '../support/peers.ts';
import { waitFor } from '../support/processes.ts';
import { startRspamd } from '../support/rspamd.ts';
import type { Spamd } from '../support/spamd.ts';
import { startSpamd } from '../support/spamd.ts';
import { eventId, greeted } from '../program/dialogue.ts';

let spamd: Spamd;
before(async () => {
  spamd = await startSpamd();
});
after(() => spamd[Symbol.asyncDispose]());

interface Places {
  readonly control: string;
  readonly state: string;
}

async function command({ control, state }: Places, ...args: readonly string[]) {
  const done = await postern([...args, '--control', control, '--state', state]);
  return { code: done.code, out: done.stdout.toString(), err: done.stderr.toString() };
}

/** A message of words that no other test uses. */
function letter(...words: readonly string[]): string {
  return `From: a@example.net\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nSubject: x\r\n\r\n${words.join(' ')}\r\n`;
}

async function bayes(text: string): Promise<string> {
  const done = await spamd.spamc(['--tests'], Buffer.from(text));
  return /BAYES_\d+/.exec(done.stdout.toString())?.[0] ?? 'none';
}

test('files are learned as spam and as ham, whatever their line ends; what is known is said to be', async () => {
  await using folder = await controlFolder({ spamd: `${showScannerAddress(spamd.address)}\n` });
  const spam = join(folder.state, 'spam.eml');
  const ham = join(folder.state, 'ham.eml');
  const spamText = letter('quokka', 'marmalade', 'zeppelin', 'trombone', 'persimmon', 'galvanise');
  const hamText = letter('harbour', 'lighthouse', 'notebook', 'velvet', 'archipelago', 'kettle');
  await writeFile(spam, spamText.replaceAll('\r\n', '\n'));
  await writeFile(ham, hamText);
  const first = await command(folder, 'learn', '--spam', spam);
  assert.equal(first.code, 0, first.err);
  assert.equal(first.out, `${spam}  learned as spam (spamd ${showScannerAddress(spamd.address)})\n`);
  assert.equal((await command(folder, 'learn', '--ham', ham)).code, 0);
  assert.equal(await bayes(spamText), 'BAYES_99');
  assert.equal(await bayes(hamText), 'BAYES_00');
  const again = await command(folder, 'learn', '--spam', spam);
  assert.equal(again.code, 0);
  assert.match(again.out, /nothing new to learn: /);
  const mixed = await command(folder, 'learn', '--ham', '/nonexistent/file', ham, 'no-such-id', folder.state);
  assert.equal(mixed.code, 1);
  assert.match(mixed.out, /^\S+ham\.eml {2}nothing new/);
  assert.match(mixed.err, /nonexistent\/file was not learned: ENOENT/);
  assert.match(mixed.err, /no-such-id was not learned: no-such-id: no such held copy/);
  assert.match(mixed.err, /state was not learned: it is no file/);
});

/** Holds everything. */
const holding = (spamdAddress: string, hop: number) => ({
  badhelo: '^client\\.example\\.net$\n',
  actions: 'BADHELO:quarantine\n',
  smtproutes: `:[127.0.0.1]:${hop}\n`,
  spam: 'no\n',
  scannertest: '0\n',
  spamd: `${spamdAddress}\n`,
});

async function held(gateway: RunningGateway, text: string): Promise<string> {
  await using client = await greeted(gateway.port);
  await client.envelope('a@example.net', 'one@example.com', 'two@example.com');
  const id = eventId(await client.message(text));
  await waitFor('the copy in the index', async () => {
    const { out } = await command(gateway, 'quarantine', 'list');
    return out.includes(id);
  });
  return id;
}

test('a held copy is learned by its id and by its path, without the head that is ours', async () => {
  await using sink = await startSmtpSink();
  await using fake = await fakeScanner({
    when: heard => heard.includes('dust-mite\r\n'),
    say: 'SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\n\r\n\r\n',
    next: 'end',
  });
  await using gateway = await startGateway(holding(showScannerAddress(fake.address), sink.port));
  const text = letter('wobble', 'dust-mite');
  const id = await held(gateway, text);
  const byId = await command(gateway, 'learn', '--spam', '--user', 'jürgen', id);
  assert.equal(byId.code, 0, byId.err);
  assert.match(byId.out, new RegExp(`^${id.replaceAll('.', '\\.')}  learned as spam \\(spamd `));
  await gateway.write('spamuser', 'shared\n');
  const byPath = await command(gateway, 'learn', '--ham', join(gateway.state, 'quarantine/new', id));
  assert.equal(byPath.code, 0, byPath.err);
  const [first = '', second = ''] = fake.heard.map(bytes => bytes.toString('latin1'));
  for (const heard of [first, second]) assert.ok(heard.endsWith(`\r\n\r\n${text}`));
  assert.match(first, /^User: j\xc3\xbcrgen\r$/m);
  assert.match(first, /^Message-class: spam\r$/m);
  assert.match(second, /^User: shared\r$/m);
  assert.match(second, /^Message-class: ham\r$/m);
});

test('release --ham: sent once, learned once; what cannot be learned stays sent', async () => {
  await using sink = await startSmtpSink();
  await using gateway = await startGateway(holding(showScannerAddress(spamd.address), sink.port));
  const text = letter('gondola', 'rhubarb', 'tinsel', 'oxbow', 'parsnip', 'lantern', 'bumblebee');
  const id = await held(gateway, text);
  const released = await command(gateway, 'quarantine', 'release', '--ham', id);
  assert.equal(released.code, 0, released.err);
  const lines = released.out.trimEnd().split('\n');
  assert.equal(lines.length, 3);
  assert.match(lines[2] ?? '', /learned as ham \(spamd /);
  assert.match(await bayes(text), /^BAYES_[0-4]/);
  const again = await command(gateway, 'quarantine', 'release', '--ham', id);
  assert.equal(again.code, 1);
  assert.doesNotMatch(again.out, /learn/);

  const second = await held(gateway, letter('untaught'));
  const third = await held(gateway, letter('unasked'));
  await gateway.write('spamd', `${showScannerAddress(await deadAddress())}\n`);
  const lost = await command(gateway, 'quarantine', 'release', '--ham', '--json', second);
  assert.equal(lost.code, 1);
  const objects = lost.out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    objects.map(o => o.state),
    ['released', 'released', undefined],
  );
  assert.deepEqual([objects[2].id, objects[2].ham.kind, objects[2].ham.fault], [second, 'error', 'refused']);

  await gateway.write('spamd', '');
  const nobody = await command(gateway, 'quarantine', 'release', '--ham', third);
  assert.equal(nobody.code, 2);
  assert.match(nobody.err, /nobody learns: neither `spamd` nor `rspamd`/);
  assert.match((await command(gateway, 'quarantine', 'list')).out, new RegExp(third.replaceAll('.', '\\.')));
});

test('rspamd learns in its controller', async () => {
  await using rspamd = await startRspamd(true);
  const files = {
    rspamd: `${showScannerAddress(rspamd.address)}\n`,
    rspamdcontroller: `${showScannerAddress(rspamd.controller)}\n`,
    rspamdpassword: `${rspamd.password}\n`,
  };
  await using folder = await controlFolder(files);
  const spam = join(folder.state, 'spam.eml');
  await writeFile(spam, letter('quokka', 'marmalade', 'zeppelin', 'trombone', 'persimmon', 'galvanise'));
  const learned = await command(folder, 'learn', '--spam', spam);
  assert.equal(learned.code, 0, learned.out + learned.err);
  assert.match(learned.out, /learned as spam \(rspamd controller /);
  const again = await command(folder, 'learn', '--spam', spam);
  assert.equal(again.code, 0, again.out);
  assert.match(again.out, /nothing new to learn/);
  await folder.write('rspamdpassword', 'guessed\n');
  const refused = await command(folder, 'learn', '--ham', spam);
  assert.equal(refused.code, 1);
  assert.match(refused.out, /not learned: failed: /);
  await folder.remove('rspamdcontroller');
  const nowhere = await command(folder, 'learn', '--ham', spam);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.err, /`rspamdcontroller` does not say where/);
});

test('who does not say what, or has nobody to teach, is told', async () => {
  await using folder = await controlFolder();
  for (const flags of [[], ['--spam', '--ham']]) {
    const { code, err } = await command(folder, 'learn', ...flags, 'x');
    assert.equal(code, 2);
    assert.match(err, /wanted --spam or --ham, and one of them only/);
  }
  const { code, err } = await command(folder, 'learn', '--spam', 'x');
  assert.equal(code, 2);
  assert.match(err, /nobody learns: neither `spamd` nor `rspamd` says where/);
  await using noTell = await startSpamd({ noTell: true });
  await folder.write('spamd', `${showScannerAddress(noTell.address)}\n`);
  const refused = await command(folder, 'learn', '--spam', join(folder.control, 'me'));
  assert.equal(refused.code, 1);
  assert.match(refused.out, /not learned: failed: .*--allow-tell/);
});
