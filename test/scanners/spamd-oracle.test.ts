import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Spamc from 'spamc';
import type { SpamcAnswer } from 'spamc';
import { createSpamd } from '../../src/scanners/spamd.ts';
import { deadAddress, fakeScanner } from '../support/fake-scanner.ts';
import { waitFor } from '../support/processes.ts';
import { GTUBE, sampleMail, scanned, variedMails } from '../support/sample-mail.ts';
import { startSpamd } from '../support/spamd.ts';
import type { Spamd } from '../support/spamd.ts';

// What the npm package spamc 0.0.5 says and what we say: we agree where it is right, and here is where it is not.

let spamd: Spamd;
const NOBODY = { user: null };

before(async () => {
  spamd = await startSpamd({ config: ['score GTUBE -40'] });
});

after(() => spamd[Symbol.asyncDispose]());

function theirs(address = spamd.address, seconds = 60): Spamc {
  assert.ok(address.kind === 'tcp');
  return new Spamc(address.host, address.port, seconds);
}

function symbols(message: string): Promise<SpamcAnswer> {
  return new Promise((resolve, reject) => {
    theirs().symbols(message, (error, answer) => {
      if (answer === undefined) reject(error ?? new Error('nothing'));
      else resolve(answer);
    });
  });
}

/** It adds CRLF to what it is given; so to send a message as it is, its own last one is taken away first. */
const givenTo = (mail: Buffer): string => mail.toString('latin1').replace(/\r\n$/, '');

test('both say the same of ASCII mails with a positive score and several rules', async () => {
  const engine = createSpamd({ addresses: [spamd.address] });
  const ascii = variedMails(20).filter(mail => /^[\n\r -~]*\r\n$/.test(mail.toString('latin1')));
  let agreed = 0;
  for (const mail of ascii) {
    const ours = await engine.score(scanned(mail), NOBODY);
    const answer = await symbols(givenTo(mail));
    if (ours.kind !== 'scored' || ours.score < 0 || ours.rules.length < 2) continue;
    assert.deepEqual(
      [answer.isSpam, answer.spamScore, answer.baseSpamScore, answer.matches],
      [ours.spam, ours.score, ours.threshold, ours.rules.slice(0, -1)],
    );
    agreed++;
  }
  assert.ok(agreed > 3, `${agreed} of ${ascii.length}`);
});

test('spamc loses a negative score, the verdict with it, and the last rule', async () => {
  const mail = sampleMail({ body: `${GTUBE}\n` });
  const ours = await createSpamd({ addresses: [spamd.address] }).score(scanned(mail), NOBODY);
  assert.ok(ours.kind === 'scored' && ours.score < -30 && !ours.spam);
  const answer = await symbols(givenTo(mail));
  assert.deepEqual([answer.isSpam, answer.spamScore], [undefined, undefined]);
  assert.deepEqual(answer.matches ?? [], ours.rules.slice(0, -1));
});

test('spamc damages messages: a line more at the end, UTF-8 in the place of bytes', async () => {
  const mail = sampleMail({ body: 'caf\xe9\n' });
  await symbols(mail.toString('latin1'));
  await spamd.program.output(new RegExp(`,size=${mail.length + 3},`));
  await createSpamd({ addresses: [spamd.address] }).score(scanned(mail), NOBODY);
  await spamd.program.output(new RegExp(`,size=${mail.length},`));
});

test('spamc answers twice when nobody listens, once with an exception of its own', async () => {
  const dead = await deadAddress();
  const answers: (Error | null)[] = [];
  theirs(dead).check('Subject: x\r\n\r\n', error => answers.push(error));
  await waitFor('two answers', () => answers.length === 2);
  assert.deepEqual(
    answers.map(error => error?.name),
    ['Error', 'TypeError'],
  );
  const ours = await createSpamd({ addresses: [dead] }).score(scanned(sampleMail()), NOBODY);
  assert.equal(ours.kind === 'error' && ours.fault, 'refused');
});

test('spamc takes half an answer for a whole one, and waits for ever when it comes in drips', async () => {
  const say = 'SPAMD/1.1 0 EX_OK\r\nContent-length: 300\r\nSpam: False ; 1.0 / 5.0\r\n\r\nA,B,C';
  await using cut = await fakeScanner({ when: heard => heard.includes('x'), say, next: 'end' });
  const answer = await new Promise<SpamcAnswer | undefined>(resolve => {
    theirs(cut.address).symbols('Subject: x\r\n\r\n', (_, answer) => resolve(answer));
  });
  assert.equal(answer?.isSpam, false);
  const ours = await createSpamd({ addresses: [cut.address] }).score(scanned(Buffer.from('x')), NOBODY);
  assert.equal(ours.kind === 'error' && ours.fault, 'cut');

  await using drip = await fakeScanner({ when: heard => heard.includes('x'), say, next: 'drip', deaf: true });
  let settled = false;
  // Its time-out is one of silence.
  theirs(drip.address, 1).symbols('Subject: x\r\n\r\n', () => (settled = true));
  const engine = createSpamd({ addresses: [drip.address], timeoutMs: 1500 });
  const late = await engine.score(scanned(Buffer.from('x')), NOBODY);
  assert.equal(late.kind === 'error' && late.fault, 'timeout');
  assert.equal(settled, false);
});
