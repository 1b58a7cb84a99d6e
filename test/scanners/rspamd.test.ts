import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { SpamOutcome } from '../../src/model/scan.ts';
import { showScannerAddress } from '../../src/model/scanner-address.ts';
import { createRspamd } from '../../src/scanners/rspamd.ts';
import type { SpamEngine } from '../../src/scanners/spam-engine.ts';
import { waitFor } from '../support/processes.ts';
import { startRspamd } from '../support/rspamd.ts';
import type { Rspamd } from '../support/rspamd.ts';
import { GTUBE, sampleMail, scanned, variedMails } from '../support/sample-mail.ts';

let rspamd: Rspamd;
let engine: SpamEngine;
const NOBODY = { user: null };

before(async () => {
  rspamd = await startRspamd();
  engine = createRspamd({
    addresses: [rspamd.address],
    controllers: [rspamd.controller],
    controllerPassword: rspamd.password,
  });
});

after(async () => {
  engine.close();
  await rspamd[Symbol.asyncDispose]();
});

function scored(outcome: SpamOutcome): Extract<SpamOutcome, { kind: 'scored' }> {
  assert.equal(outcome.kind, 'scored', JSON.stringify(outcome));
  return outcome;
}

test('the test line scores, a letter does not', async () => {
  const spam = scored(await engine.score(scanned(sampleMail({ body: `${GTUBE}\n` })), NOBODY));
  assert.deepEqual([spam.spam, spam.score, spam.threshold], [true, 15, 15]);
  assert.ok(spam.rules.includes('GTUBE'));
  assert.equal(spam.scanner, `rspamd ${showScannerAddress(rspamd.address)}`);
  const ham = scored(await engine.score(scanned(sampleMail()), NOBODY));
  assert.equal(ham.spam, false);
  assert.ok(ham.score < 6 && ham.rules.length > 3, JSON.stringify(ham));
});

test('mails of many kinds are scored as rspamd says itself', async () => {
  const { port } = rspamd.address.kind === 'tcp' ? rspamd.address : { port: 0 };
  const scores = new Set<number>();
  for (const mail of [
    ...variedMails(50),
    Buffer.from('no header, no line end'),
    Buffer.alloc(300_000, 'Long. \r\n'),
  ]) {
    const ours = scored(await engine.score(scanned(mail, 4), NOBODY));
    const answer = await fetch(`http://127.0.0.1:${port}/checkv2`, { method: 'POST', body: mail });
    const theirs = (await answer.json()) as {
      score: number;
      required_score: number;
      action: string;
      symbols: Record<string, unknown>;
    };
    assert.deepEqual(
      [ours.score, ours.threshold, ours.spam, ours.rules.toSorted()],
      [
        theirs.score,
        theirs.required_score,
        theirs.action === 'reject',
        Object.keys(theirs.symbols).toSorted(),
      ],
      mail.toString('latin1', 0, 2000),
    );
    scores.add(ours.score);
  }
  assert.ok(scores.size > 5, [...scores].join());
});

test('what is known of the envelope counts, and whom its settings spare is skipped, visibly', async () => {
  const mail = scanned(sampleMail());
  const plain = scored(await engine.score(mail, NOBODY));
  const envelope = {
    clientIp: '192.0.2.25',
    helo: 'mail.example.org',
    sender: '',
    recipients: ['one@example.com', 'two@example.com'],
    id: '4711',
  };
  const informed = scored(await engine.score(mail, { user: 'one@example.com', envelope }));
  // The client is one more that has handed it on.
  assert.ok(informed.rules.includes('RCVD_COUNT_TWO') && plain.rules.includes('RCVD_COUNT_ONE'));
  assert.notDeepEqual(informed.rules.toSorted(), plain.rules.toSorted());
  const spared = await engine.score(mail, {
    user: null,
    envelope: { recipients: ['unscanned@example.com'] },
  });
  assert.equal(spared.kind, 'skipped', JSON.stringify(spared));
});

test('it learns spam and ham through the controller, and knows what it knows', async () => {
  await using learner = await startRspamd(true);
  const engine = createRspamd({
    addresses: [learner.address],
    controllers: [learner.controller],
    controllerPassword: learner.password,
  });
  const words = 'gryphon quokka lathe bassoon vermilion isthmus parsnip zeppelin quinine halberd';
  const spam = scanned(sampleMail({ subject: 'offer', body: `${words}\n${words}\n` }));
  const ham = scanned(
    sampleMail({ subject: 'minutes', body: 'The minutes of the meeting are attached, dear Bob.\n' }),
  );
  const scanner = `rspamd controller ${showScannerAddress(learner.controller)}`;
  assert.deepEqual(await engine.learn(spam, 'spam', null), { kind: 'learned', scanner });
  assert.deepEqual(await engine.learn(ham, 'ham', null), { kind: 'learned', scanner });
  const again = await engine.learn(spam, 'spam', null);
  assert.equal(again.kind, 'already known', JSON.stringify(again));
  assert.match(again.kind === 'already known' ? again.why : '', /already learned as spam/);
  assert.equal((await engine.learn(spam, 'ham', null)).kind, 'learned');
});

test('without controller or password nothing is learned, and the operator is told why', async () => {
  const mail = scanned(sampleMail({ subject: 'unlearned' }));
  const none = await createRspamd({ addresses: [rspamd.address] }).learn(mail, 'spam', null);
  assert.match(none.kind === 'error' ? none.why : '', /no controller is set/);
  for (const controllerPassword of ['wrong', 'wr\r\nong']) {
    const client = createRspamd({
      addresses: [rspamd.address],
      controllers: [rspamd.controller],
      controllerPassword,
    });
    const outcome = await client.learn(mail, 'spam', null);
    assert.equal(outcome.kind === 'error' && outcome.fault, 'failed');
    assert.match(outcome.kind === 'error' ? outcome.why : '', /401 .*password/);
  }
  const empty = await engine.learn(scanned(Buffer.alloc(0)), 'ham', null);
  assert.match(empty.kind === 'error' ? empty.why : '', /said 400 Empty body/);
});

test('an rspamd that stops is a time-out at the deadline, and is found again by itself', async () => {
  const client = createRspamd({
    addresses: [rspamd.address],
    timeoutMs: 1000,
    breaker: { faults: 2, restMs: 1000, maxRestMs: 1000 },
  });
  const mail = scanned(sampleMail());
  assert.equal((await client.ping()).kind, 'alive');
  const workers = await rspamd.workers();
  try {
    for (const worker of workers) process.kill(worker, 'SIGSTOP');
    for (const fault of ['timeout', 'timeout', 'resting']) {
      const outcome = await client.score(mail, NOBODY);
      assert.equal(outcome.kind === 'error' && outcome.fault, fault, JSON.stringify(outcome));
    }
  } finally {
    for (const worker of workers) process.kill(worker, 'SIGCONT');
  }
  await waitFor('the breaker to close', async () => {
    await client.ping();
    return client.state()[0]?.breaker === 'closed';
  });
});
