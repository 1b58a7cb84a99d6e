import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { after, before, suite, test } from 'node:test';
import type { ScanError, VirusOutcome } from '../../src/model/scan.ts';
import type { Services } from '../../src/pipeline/run-stage.ts';
import { PLUGINS } from '../../src/plugins/list.ts';
import type { ClamdClient } from '../../src/scanners/clamd.ts';
import { createClamd } from '../../src/scanners/clamd.ts';
import { bytesOf } from '../mail/stored.ts';
import type { Clamd } from '../support/clamd.ts';
import { EICAR_NAME, startClamd } from '../support/clamd.ts';
import { FOUND, MISSED, ORDINARY, SIGNED_TEXT } from '../support/hidden-mail.ts';
import { uuencode } from '../support/uuencode-writer.ts';
import { envelope, messageOf, rig, said } from './rig.ts';

interface Sent {
  readonly answer: string;
  /** Rule, state and detail of what the check has said. */
  readonly findings: readonly string[];
  /** Bytes of what the scanner was shown, the message first. */
  readonly shown: readonly Buffer[];
}

/** Sends a message through a gateway whose virus scanner is `virus`. */
async function send(
  t: TestContext,
  message: string,
  virus: Services['virus'],
  control: Readonly<Record<string, string>> = {},
): Promise<Sent> {
  const shown: Buffer[] = [];
  const { converse, records } = await rig(t, {
    plugins: PLUGINS.filter(({ name }) => name === 'clam'),
    control: { clamd: '/run/clamd', ...control },
    virus: async (bytes, signal) => {
      shown.push(await bytesOf(bytes));
      return virus(bytes, signal);
    },
  });
  const conversation = await converse();
  await envelope(conversation, ['b@example.com']);
  await conversation.data();
  const answer = said(await conversation.message(await messageOf(message)));
  conversation.close();
  const findings = records.flatMap(record =>
    record.findings.map(({ rule, state, detail }) => `${rule} ${state} ${detail ?? ''}`),
  );
  return { answer, findings, shown };
}

suite('with a real clamd', () => {
  let clamd: Clamd;
  let client: ClamdClient;
  before(async () => {
    clamd = await startClamd();
    client = createClamd({ addresses: [clamd.address] });
  });
  after(() => clamd[Symbol.asyncDispose]());
  const ask: Services['virus'] = (message, signal) => client.scan(message, signal);

  for (const [name, message] of MISSED) {
    test(`missed in the whole message, found in its files: ${name}`, async t => {
      const whole = await send(t, message, ask, { clamattachments: 'no' });
      assert.match(whole.answer, /^250 /);
      const { answer, findings, shown } = await send(t, message, ask);
      assert.match(answer, /^554 .* contains a virus/);
      assert.match(findings.join(), new RegExp(`^CLAM_VIRUS hit ${EICAR_NAME} \\(clamd .*\\) in \\S`));
      assert.ok(shown.length > 1);
    });
  }

  for (const [name, message] of FOUND) {
    test(`found at once: ${name}`, async t => {
      const { answer, shown } = await send(t, message, ask);
      assert.match(answer, /^554 /);
      assert.equal(shown.length, 1);
      const blind: Services['virus'] = (bytes, signal) =>
        bytes.size === shown[0]?.length ? clean() : ask(bytes, signal);
      const files = await send(t, message, blind);
      assert.match(files.findings.join(), /^CLAM_VIRUS hit .* in /, 'and would be found in its files');
    });
  }
});

const clean = (): Promise<VirusOutcome> => Promise.resolve({ kind: 'clean', scanner: 'clamd' });

for (const [name, message] of ORDINARY) {
  test(`ordinary mail costs one scan: ${name}`, async t => {
    const { answer, findings, shown } = await send(t, message, clean);
    assert.match(answer, /^250 /);
    assert.deepEqual(findings, ['CLAM pass clean (clamd)']);
    assert.equal(shown.length, 1);
  });
}

test('of a signed text the signature is shown, and nothing else', async t => {
  const { shown } = await send(t, SIGNED_TEXT, clean);
  assert.deepEqual(shown.slice(1).map(String), ['signature']);
});

test('clamattachments=all: every file, plain text left out', async t => {
  const [, message] = ORDINARY.find(([name]) => name === 'a PDF') ?? ['', ''];
  const { shown, findings } = await send(t, message, clean, { clamattachments: 'all' });
  assert.deepEqual(
    shown.slice(1).map(bytes => bytes.toString('latin1', 0, 5)),
    ['<p>a ', '%PDF-'],
  );
  assert.deepEqual(findings, ['CLAM pass clean (clamd), so are 2 files by themselves']);
});

const files = (count: number) =>
  `From: <a@example.com>\r\n\r\n${Array.from({ length: count }, (_, i) =>
    uuencode(Buffer.from(`file ${i} ${'x'.repeat(90)}`), `${i}.txt`),
  ).join('')}`.replaceAll(/\r?\n/g, '\r\n');

/** Says `outcome` about the file with this number and `clean` about everything else. */
function about(number: number, outcome: VirusOutcome): Services['virus'] {
  let asked = 0;
  return () => (asked++ === number ? Promise.resolve(outcome) : clean());
}

test('the first infected file ends it', async t => {
  const infected = { kind: 'infected', name: 'Eicar', scanner: 'clamd' } as const;
  const { findings, shown } = await send(t, files(5), about(2, infected));
  assert.deepEqual(findings, ['CLAM_VIRUS hit Eicar (clamd) in 1.txt']);
  assert.equal(shown.length, 3);
});

test('no answer about a file is no clean message', async t => {
  const fault: ScanError = { kind: 'error', fault: 'cut', why: 'clamd: it hung up' };
  const { answer, findings, shown } = await send(t, files(5), about(2, fault));
  assert.match(answer, /^451 /);
  assert.deepEqual(findings, ['CLAM error cut: 1.txt: clamd: it hung up']);
  assert.equal(shown.length, 3);
});

test('a file that is too large for clamd is told, and the others are looked at', async t => {
  const limit: ScanError = { kind: 'error', fault: 'limit', why: 'clamd: too large' };
  const { findings, shown } = await send(t, files(5), about(2, limit));
  assert.deepEqual(findings, ['CLAM_SIZE hit 1.txt: clamd: too large']);
  assert.equal(shown.length, 6);
});

test('files beyond clamfiles are told', async t => {
  const enough = await send(t, files(3), clean, { clamfiles: '3' });
  assert.deepEqual(enough.findings, ['CLAM pass clean (clamd), so are 3 files by themselves']);
  const more = await send(t, files(4), clean, { clamfiles: '3' });
  assert.match(more.findings.join(), /^CLAM_SIZE hit files beyond 3/);
  assert.equal(more.shown.length, 4);
});

test('files beyond clambytes are told, smaller ones looked at', async t => {
  const big = uuencode(Buffer.alloc(3000), 'big.bin').replaceAll('\n', '\r\n');
  const { findings, shown } = await send(t, `${files(2)}${big}`, clean, { clambytes: '1100' });
  assert.match(findings.join(), /^CLAM_SIZE hit files beyond 100, or beyond 1100 bytes/);
  assert.equal(shown.length, 3);
});

test('what was not taken apart is told', async t => {
  const [, message] = MISSED.find(([name]) => name === 'in 20 multiparts') ?? ['', ''];
  const { findings } = await send(t, message, clean, { mimedepth: '15' });
  assert.deepEqual(findings, ['CLAM_SIZE hit not all of the message was taken apart (MIME_DEPTH)']);
});

test('the whole message and its files have one deadline', async t => {
  const hangs: Services['virus'] = (bytes, signal) =>
    bytes.size > 500
      ? clean()
      : new Promise(resolve => {
          const late: ScanError = { kind: 'error', fault: 'timeout', why: 'given up' };
          signal.addEventListener('abort', () => resolve(late));
        });
  const { answer, findings } = await send(t, files(5), hangs, { clamtime: '1' });
  assert.match(answer, /^451 /);
  assert.deepEqual(findings, ['CLAM error timeout: 0.txt: given up']);
});

test('without a clean answer about the whole message nothing else is asked', async t => {
  const limit: ScanError = { kind: 'error', fault: 'limit', why: 'clamd: too large' };
  const { findings, shown } = await send(t, files(5), about(0, limit), { clamattachments: 'all' });
  assert.deepEqual(findings, ['CLAM_SIZE hit clamd: too large']);
  assert.equal(shown.length, 1);
});
