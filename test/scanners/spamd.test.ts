import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { SpamOutcome } from '../../src/model/scan.ts';
import { showScannerAddress } from '../../src/model/scanner-address.ts';
import type { SpamEngine } from '../../src/scanners/spam-engine.ts';
import { readSpamdVerdict } from '../../src/scanners/spamd-answer.ts';
import { spamdRequestHead } from '../../src/scanners/spamd-request.ts';
import type { SpamdScanVerb } from '../../src/scanners/spamd-request.ts';
import { createSpamd } from '../../src/scanners/spamd.ts';
import { deadAddress } from '../support/fake-scanner.ts';
import { waitFor } from '../support/processes.ts';
import { GTUBE, sampleMail, scanned, variedMails } from '../support/sample-mail.ts';
import { askDaemon, startSpamd } from '../support/spamd.ts';
import type { Spamd } from '../support/spamd.ts';

let spamd: Spamd;
let engine: SpamEngine;
const NOBODY = { user: null };

before(async () => {
  spamd = await startSpamd({
    users: { 'strict@example.com': 'required_score -3\nscore GTUBE -2', kind: 'score GTUBE 4' },
  });
  engine = createSpamd({ addresses: [spamd.address], maxParallel: 2, maxWaiting: 200 });
});

after(async () => {
  engine.close();
  await spamd[Symbol.asyncDispose]();
});

function scored(outcome: SpamOutcome): Extract<SpamOutcome, { kind: 'scored' }> {
  assert.equal(outcome.kind, 'scored', JSON.stringify(outcome));
  return outcome;
}

test('the test line scores, a letter does not', async () => {
  const spam = scored(await engine.score(scanned(sampleMail({ body: `${GTUBE}\n` })), NOBODY));
  assert.equal(spam.spam, true);
  assert.ok(spam.score >= 990 && spam.threshold === 5, JSON.stringify(spam));
  assert.ok(spam.rules.includes('GTUBE'));
  assert.match(spam.scanner, /^spamd 127\.0\.0\.1:\d+$/);
  const ham = scored(await engine.score(scanned(sampleMail()), NOBODY));
  assert.equal(ham.spam, false);
  assert.ok(ham.score < 5 && !ham.rules.includes('GTUBE'));
});

test("a user's own preferences count: thresholds and scores, negative ones too", async () => {
  const mail = scanned(sampleMail({ body: `${GTUBE}\n` }));
  const strict = scored(await engine.score(mail, { user: 'strict@example.com' }));
  const kind = scored(await engine.score(mail, { user: 'kind' }));
  assert.equal(strict.threshold, -3);
  assert.ok(strict.score < 0 && strict.spam, JSON.stringify(strict));
  assert.ok(kind.score < 5 && !kind.spam && kind.threshold === 5, JSON.stringify(kind));
  // A name that would end its header line is not sent, and says nothing else in its place.
  const odd = scored(await engine.score(mail, { user: 'kind\r\nUser: strict@example.com' }));
  assert.ok(odd.score >= 990 && odd.threshold === 5);
});

/** What spamc says of a mail: the X-Spam-Status field in the header that it rewrites. */
async function statusFromSpamc(mail: Buffer) {
  const header = (await spamd.spamc(['--headers'], mail)).stdout
    .toString('latin1')
    .replace(/\r?\n[ \t]+/g, ' ');
  const status = /^X-Spam-Status: (Yes|No), score=(\S+) required=(\S+) tests=(.*?) autolearn=/m.exec(header);
  assert.ok(status, header);
  const [, word, score, threshold, tests = ''] = status;
  return {
    spam: word === 'Yes',
    score: Number(score) + 0,
    threshold: Number(threshold),
    // Folded at a comma.
    rules: tests.replaceAll(' ', '').split(','),
  };
}

test('score, threshold, verdict and rules are those of spamc', async () => {
  const seen = new Set<string>();
  const compare = async (mail: Buffer): Promise<void> => {
    const ours = scored(await engine.score(scanned(mail, 3), NOBODY));
    const { score, threshold, spam, rules } = await statusFromSpamc(mail);
    assert.deepEqual(
      [ours.score, ours.threshold, ours.spam, ours.rules],
      [score, threshold, spam, rules],
      mail.toString('latin1'),
    );
    seen.add(`${ours.spam} ${ours.score}`);
  };
  const left = [...variedMails(50)];
  const worker = async (): Promise<void> => {
    for (let mail = left.pop(); mail !== undefined; mail = left.pop()) await compare(mail);
  };
  await Promise.all([worker(), worker()]);
  assert.ok(seen.size > 10 && [...seen].some(s => s.startsWith('true')), [...seen].join(', '));
});

test('every verb is answered, and the answer read to its last byte', async () => {
  const mail = sampleMail({ body: `${GTUBE}\n` });
  const ask = async (verb: SpamdScanVerb): Promise<string> => {
    const head = spamdRequestHead({ verb, size: mail.length, user: null });
    const said = await askDaemon(spamd.address, Buffer.concat([head, mail]).toString('latin1'), 20_000);
    const verdict = readSpamdVerdict(said, verb);
    assert.ok(verdict.kind === 'scored' && verdict.spam && verdict.score > 990, JSON.stringify(verdict));
    return verdict.body.toString('latin1');
  };
  assert.equal(await ask('CHECK'), '');
  assert.match(await ask('SYMBOLS'), /(^|,)GTUBE(,|$)/);
  assert.match(await ask('REPORT'), /Content analysis details:/);
  const header = await ask('HEADERS');
  assert.match(header, /^X-Spam-Flag: YES\r\n/m);
  assert.ok(header.endsWith('\r\n\r\n'));
  assert.equal(
    await ask('PROCESS'),
    header + mail.toString('latin1').split('\r\n\r\n').slice(1).join('\r\n\r\n'),
  );
});

test('the bytes arrive as they are, however they come: LF, CRLF, no last line end, nothing at all, 300 KB', async () => {
  const mails = [
    Buffer.from('Subject: lf\n\nbody\n'),
    Buffer.from('Subject: crlf\r\n\r\nbody\r\n'),
    Buffer.from('Subject: no end\r\n\r\nbody'),
    Buffer.from('Subject: bytes\r\n\r\n\0\x01\r\r\n\n\r\xff\xfe', 'latin1'),
    Buffer.alloc(0),
  ];
  for (const [index, mail] of [...mails, longMail()].entries()) {
    const pieces = index % 2 === 0 ? 7 : 1;
    const outcome = await engine.score(scanned(mail, pieces), NOBODY);
    assert.equal(outcome.kind, 'scored', JSON.stringify(outcome));
    // spamd logs how many bytes it had.
    await spamd.program.output(new RegExp(`result: .* scantime=[^ ]*,size=${mail.length},`));
  }
});

/** 300 KB, which takes SpamAssassin a while. */
function longMail(): Buffer {
  return sampleMail({ body: `${'All work and no play makes Jack a dull boy. '.repeat(2)}\n`.repeat(3400) });
}

test('it learns spam and ham, says so, and scores differ', async () => {
  const words = 'gryphon quokka lathe bassoon vermilion isthmus parsnip zeppelin quinine halberd';
  const spam = (n: number): Buffer =>
    sampleMail({ subject: `offer ${n}`, body: `${words}\n${n} ${words}\n` });
  const ham = (n: number): Buffer =>
    sampleMail({ subject: `minutes ${n}`, body: `Minutes of meeting ${n}, attached.\n` });
  const first = scored(await engine.score(scanned(spam(0)), NOBODY));
  for (let n = 1; n <= 4; n++) {
    assert.equal((await engine.learn(scanned(spam(n)), 'spam', null)).kind, 'learned');
    assert.equal((await engine.learn(scanned(ham(n)), 'ham', null)).kind, 'learned');
  }
  const again = await engine.learn(scanned(spam(1)), 'spam', null);
  assert.equal(again.kind, 'already known', JSON.stringify(again));
  const later = scored(await engine.score(scanned(spam(0)), NOBODY));
  assert.ok(later.score > first.score, `${first.score} then ${later.score}`);
  assert.ok(
    later.rules.some(rule => /^BAYES_(80|95|99)/.test(rule)),
    later.rules.join(),
  );
  // And back: what was spam is ham now.
  assert.equal((await engine.learn(scanned(spam(1)), 'ham', null)).kind, 'learned');
});

test('where learning is not allowed the operator is told what to do', async () => {
  await using closed = await startSpamd({ kind: 'unix', noTell: true });
  const client = createSpamd({ addresses: [closed.address] });
  const outcome = await client.learn(scanned(sampleMail()), 'ham', null);
  assert.equal(outcome.kind === 'error' && outcome.fault, 'failed');
  assert.match(
    outcome.kind === 'error' ? outcome.why : '',
    /69 .*not enabled.*start spamd with --allow-tell/,
  );
  // And over a Unix socket all else works, beside an address where nobody is.
  const both = createSpamd({ addresses: [await deadAddress(), closed.address] });
  assert.deepEqual(await both.ping(), {
    kind: 'alive',
    scanner: `spamd ${showScannerAddress(closed.address)}`,
  });
  assert.equal((await both.score(scanned(sampleMail({ body: `${GTUBE}\n` })), NOBODY)).kind, 'scored');
  assert.equal(both.state()[0]?.lastFault?.fault, 'refused');
  assert.equal(both.state()[1]?.lastFault, null);
});

test('a spamd that stops is a time-out at the deadline, is left alone, and is found again by itself', async () => {
  const client = createSpamd({
    addresses: [spamd.address],
    timeoutMs: 1000,
    breaker: { faults: 2, restMs: 1000, maxRestMs: 1000 },
  });
  const long = createSpamd({ addresses: [spamd.address], breaker: { faults: 1, restMs: 50 } });
  const mail = scanned(sampleMail({ body: `${GTUBE}\n` }));
  try {
    spamd.program.signal('SIGSTOP');
    for (const fault of ['timeout', 'timeout', 'resting']) {
      const outcome = await client.score(mail, NOBODY);
      assert.equal(outcome.kind === 'error' && outcome.fault, fault, JSON.stringify(outcome));
    }
    assert.equal(client.state()[0]?.breaker, 'open');
  } finally {
    spamd.program.signal('SIGCONT');
  }
  await waitFor('the breaker to close', async () => {
    await client.ping();
    return client.state()[0]?.breaker === 'closed';
  });
  scored(await long.score(mail, NOBODY));
});

test('a spamd that ends in mid-scan cuts, then refuses, and scores when it is back', async () => {
  const mail = scanned(sampleMail({ body: `${GTUBE}\n` }));
  const first = await startSpamd();
  const client = createSpamd({ addresses: [first.address], breaker: { faults: 2, restMs: 10 } });
  try {
    const scanning = client.score(scanned(longMail()), NOBODY);
    await first.program.output(/checking message/);
    await first.program.stop();
    const outcome = await scanning;
    assert.equal(outcome.kind === 'error' && outcome.fault, 'cut', JSON.stringify(outcome));
  } finally {
    await first[Symbol.asyncDispose]();
  }
  const refused = await client.score(mail, NOBODY);
  assert.equal(refused.kind === 'error' && refused.fault, 'refused', JSON.stringify(refused));
  assert.equal(client.state()[0]?.breaker, 'open');
  await using _second = await startSpamd({ address: first.address });
  scored(await client.score(mail, NOBODY));
  assert.equal(client.state()[0]?.breaker, 'closed');
});
