import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ScannerAddress } from '../../src/model/scanner-address.ts';
import { showScannerAddress } from '../../src/model/scanner-address.ts';
import { EICAR_NAME, startClamd } from '../support/clamd.ts';
import { answers, ROOT, run, start, temporaryFolder, waitFor } from '../support/processes.ts';
import { startRspamd } from '../support/rspamd.ts';
import { startSpamd } from '../support/spamd.ts';
import { fakeScanner } from '../support/fake-scanner.ts';

const NONE = ['--clamd', 'none', '--spamd', 'none', '--rspamd', 'none'];
const POSTERN = join(ROOT, 'bin/postern');

/** What the table says of each message, by the beginning of its title. */
function rows(output: string): Map<string, { verdict: string; why: string; reply: string }> {
  const found = new Map<string, { verdict: string; why: string; reply: string }>();
  const lines = output.split('\n');
  for (const [i, line] of lines.entries()) {
    const [, verdict = '', title = '', why = ''] =
      /^ {2}(accepted|tagged|held|deferred|refused|not sent) +(.*?) {2,}(\S.*)$/.exec(line) ?? [];
    if (title !== '') found.set(title, { verdict, why, reply: lines[i + 1]?.trim() ?? '' });
  }
  return found;
}

/** What each message comes to, wherever it is sent. */
const EVERYWHERE: readonly (readonly [title: string, verdict: string, why: string, reply: RegExp])[] = [
  ['a plain letter', 'accepted', 'spf=pass dkim=none dmarc=pass', /^250 /],
  ['a letter with a DKIM signature', 'accepted', 'spf=pass dkim=pass dmarc=pass', /^250 /],
  ['one that brings its own Authentication-Results', 'accepted', 'spf=pass dkim=none dmarc=pass', /^250 /],
  ['a client in `iplist`', 'refused', 'IPLIST_REJECT', /^553 5\.7\.1 192\.0\.2\.66 has sent us spam/],
  ['a client on a DNS list (`rbl`)', 'refused', 'RBL_REJECT', /^553 5\.7\.1 192\.0\.2\.77 sends spam/],
  ['mail for somebody elsewhere', 'refused', 'RCPTHOSTS', /^553 /],
  ['bank.example, from a client that its SPF record forbids', 'refused', 'SPF_FAIL', /^550 /],
  ['bank.example in From only; its DMARC policy is reject', 'refused', 'DMARC_REJECT', /^550 5\.7\.26 /],
  ['shop.example in From only; its policy is quarantine', 'tagged', 'DMARC_QUARANTINE', /^250 /],
  ['a file called invoice.pdf.exe', 'refused', 'QS_ATTACHMENT', /^554 .*\(\.exe\)/],
  ['a script in a zip in a zip', 'refused', 'QS_ATTACHMENT', /^554 .*\(\.js\)/],
  ['a Korean advertisement, its Subject in base64', 'held', 'QS_POLICY', /^250 /],
  ['a message that goes round in circles', 'refused', 'HOPS', /^554 5\.4\.6 /],
];
const VIRUSES = ['EICAR as it is', 'EICAR in a zip', 'EICAR in a zip in a zip'];

function checkEverywhere(output: string): void {
  const table = rows(output);
  for (const [title, verdict, why, reply] of EVERYWHERE) {
    const row = table.get(title);
    assert.deepEqual([row?.verdict, row?.why], [verdict, why], `${title}\n${output}`);
    assert.match(row?.reply ?? '', reply);
    assert.match(row?.reply ?? '', /\[[\w.]+\]$/);
  }
  assert.equal(table.size, EVERYWHERE.length + VIRUSES.length + 1);
}

const portOf = (output: string) => Number(/listening on 127\.0\.0\.1:(\d+)/.exec(output)?.[1]);

test('npm run demo: without any scanner, and nothing stays behind', async () => {
  await using folder = await temporaryFolder();
  const done = await run('node', [join(ROOT, 'bin/bootstrap.mjs'), 'demo', ...NONE], {
    env: { TMPDIR: folder.path },
  });
  const output = done.stdout.toString();
  assert.equal(done.code, 0, done.stderr.toString());
  assert.equal(done.stderr.toString(), '');
  checkEverywhere(output);
  for (const title of VIRUSES)
    assert.deepEqual(
      [rows(output).get(title)?.verdict, rows(output).get(title)?.why],
      ['not sent', 'no clamd found'],
    );
  assert.equal(rows(output).get('GTUBE in the text')?.why, 'no spamd or rspamd found');
  assert.match(output, /17 messages in \d+\.\d s: 3 accepted, 1 tagged, 1 held, 8 refused, 4 not sent\./);
  assert.match(output, /was refused because of rule QS_ATTACHMENT/);
  assert.match(output, /^ {2}> {2}message {2}QS_ATTACHMENT {2}hit .* in all\.zip in inner\.zip/m);
  assert.doesNotMatch(output, /\x1b|undefined|NaN/, 'no colours into a pipe');
  assert.deepEqual(await readdir(folder.path), []);
  assert.equal(await answers(portOf(output)), false);
});

const at = (address: ScannerAddress) => showScannerAddress(address);

test('with clamd and spamd, or rspamd, what they know is refused', async () => {
  const [clamd, spamd, rspamd] = await Promise.all([startClamd(), startSpamd(), startRspamd()]);
  await using stack = new AsyncDisposableStack();
  for (const program of [clamd, spamd, rspamd]) stack.use(program);
  const scanners = ['--clamd', at(clamd.address), '--rspamd', at(rspamd.address)];
  for (const [name, options] of [
    ['spamd', ['--spamd', at(spamd.address)]],
    ['rspamd', ['--spamd', 'none']],
  ] as const) {
    const done = await run(POSTERN, ['demo', ...scanners, ...options]);
    const output = done.stdout.toString();
    assert.equal(done.code, 0, done.stderr.toString());
    assert.match(output, new RegExp(`^ {2}clamd +${at(clamd.address)}$\n^ {2}${name} +127\\.`, 'm'));
    checkEverywhere(output);
    for (const title of VIRUSES) {
      const row = rows(output).get(title);
      assert.deepEqual([row?.verdict, row?.why], ['refused', 'CLAM_VIRUS']);
      assert.ok(row?.reply.includes(`the ${EICAR_NAME} virus`));
    }
    const spam = rows(output).get('GTUBE in the text');
    assert.equal(spam?.verdict, 'refused', `${name}: ${JSON.stringify(spam)}`);
    assert.equal(spam?.why, 'SPAM_HITS');
  }
});

test('what --keep proposes works', async () => {
  await using folder = await temporaryFolder();
  const done = await run(POSTERN, ['demo', '--keep', ...NONE], { env: { TMPDIR: folder.path } });
  const commands = done.stdout.toString().split('And now\n')[1]?.trim().split('\n') ?? [];
  const outputs: string[] = [];
  for (const command of commands) {
    const { code, stdout, stderr } = await run('sh', ['-c', command.replace(/ {5}.*/, '')], { cwd: ROOT });
    assert.equal(code, 0, `${command}\n${stderr.toString()}`);
    outputs.push(stdout.toString());
  }
  const [explained = '', shown = '', released = '', delivered = '', control = ''] = outputs;
  assert.match(explained, /was refused because of rule QS_ATTACHMENT/);
  assert.match(shown, /quarantine +QS_POLICY +held/);
  assert.match(released, /released: maildir /);
  assert.equal(delivered.trim().split('\n').length, 5, 'three, one with a tag, and the one released');
  assert.match(control, /^iplist$/m);
  assert.deepEqual(await readdir(folder.path), []);
});

test('interrupted while a scanner hangs: everything is gone at once', async () => {
  await using folder = await temporaryFolder();
  await using hanging = await fakeScanner([
    { when: heard => heard.includes('zPING\0'), say: 'PONG\0', next: 'end' },
    { when: () => false, next: 'hang' },
  ]);
  const options = ['--clamd', at(hanging.address), ...NONE.slice(2)];
  await using program = await start(process.execPath, [join(ROOT, 'src/cli/main.ts'), 'demo', ...options], {
    env: { TMPDIR: folder.path },
  });
  const port = await program.until('the gateway', () => portOf(program.stdout) || undefined);
  await waitFor('a scan', () => hanging.heard.length >= 2);
  program.signal('SIGINT');
  const { code } = await program.ended;
  assert.equal(code, 130);
  assert.equal(program.stderr, '');
  assert.equal(await answers(port), false);
  assert.deepEqual(await readdir(folder.path), []);
});

test('a reader that goes away ends it, and nothing stays behind', async () => {
  await using folder = await temporaryFolder();
  const command = `"$0" demo ${NONE.join(' ')} | head -1`;
  const done = await run('sh', ['-c', command, POSTERN], { env: { TMPDIR: folder.path } });
  assert.equal(done.stderr.toString(), '');
  assert.deepEqual(await readdir(folder.path), []);
  assert.equal(await answers(portOf(done.stdout.toString())), false);
});

test('an address that is none is told; where nobody answers, nobody is asked', async () => {
  const wrong = await run(POSTERN, ['demo', '--clamd', 'nowhere']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr.toString(), /^postern: --clamd: "nowhere" is not /);
  const nobody = await run(POSTERN, ['demo', '--clamd', '/nonexistent/clamd', ...NONE.slice(2)]);
  assert.equal(nobody.code, 0);
  assert.match(nobody.stdout.toString(), /clamd +not found \(nobody answers at \/nonexistent\/clamd\)/);
});
