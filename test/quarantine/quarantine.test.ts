import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import * as fc from 'fast-check';
import { address } from '../../src/model/address.ts';
import type { Delivery, HopAnswer, Router } from '../../src/model/delivery.ts';
import { reply } from '../../src/model/reply.ts';
import { hold } from '../../src/quarantine/hold.ts';
import { Quarantine, RELEASE_MS } from '../../src/quarantine/quarantine.ts';
import { deletionRecord, release } from '../../src/quarantine/release.ts';
import { expireOld } from '../../src/quarantine/retention.ts';
import { openSqliteQuarantine } from '../../src/store/sqlite/quarantine.ts';
import { bytesOf } from '../mail/stored.ts';
import { messageOf } from '../relay/messages.ts';
import { sampleRecord } from '../store/sample-record.ts';
import { heldCopy, heldRecipient, temporary } from './copies.ts';

const DAY = 86_400_000;
const ADDED = Buffer.from('Received: by mx\r\n');
const BODY = 'Subject: hello\r\n\r\nbody\r\n';
const ALL = { numbers: null, to: null, again: false };
const THREE = ['a@example.com', 'b@example.com', 'c@example.org'];

/** A quarantine with a clock of its own. */
function open(t: TestContext, folder = temporary(t)) {
  const clock = { now: sampleRecord().time + 1000 };
  const connect = (name = 'index') => {
    const quarantine = new Quarantine(
      folder,
      openSqliteQuarantine(path.join(folder, `${name}.db`)),
      () => clock.now,
    );
    t.after(() => quarantine.close());
    return quarantine;
  };
  return {
    folder,
    clock,
    connect,
    quarantine: connect(),
    hold: (id: string, recipients: readonly string[] = ['a@example.com'], time = sampleRecord().time) =>
      hold(
        folder,
        heldCopy(id, {
          recipients: recipients.map(text => heldRecipient(text)),
          record: sampleRecord({ id, time }),
        }),
        ADDED,
        messageOf(BODY),
      ),
    names: () => ['new', 'cur'].flatMap(sub => readdirSync(path.join(folder, sub))),
  };
}

/** Next hops that note what they got; `say` is what they answer to a recipient. */
function hops(say: (recipient: string) => HopAnswer['kind'] = () => 'accepted') {
  const got: { recipients: string[]; text: string }[] = [];
  const answer = (kind: HopAnswer['kind']): HopAnswer => ({
    kind,
    reply: reply(kind === 'accepted' ? 250 : 550, '', kind),
    hop: 'test',
  });
  const router: Router = {
    route: ({ domain }) => ({
      key: domain,
      open: (): Delivery => {
        const recipients: string[] = [];
        return {
          addRecipient: async recipient => {
            const said = answer(say(recipient.text));
            if (said.kind === 'accepted') recipients.push(recipient.text);
            return said;
          },
          send: async (added, message) => {
            got.push({ recipients, text: added.toString() + (await bytesOf(message)).toString() });
            return recipients.map(() => answer('accepted'));
          },
          abort: () => undefined,
        };
      },
    }),
  };
  return { router, got };
}

const states = async (quarantine: Quarantine, id: string) =>
  (await quarantine.index.byId(id))?.recipients.map(r => r.state).join(' ');

const fileStates = async (quarantine: Quarantine, id: string) => {
  await using file = await quarantine.open(id);
  return file.head.recipients.map(r => r.state).join(' ');
};

test('released to whom the hop takes it for; the others are held as before', async t => {
  const { quarantine, hold, clock } = open(t);
  await hold('x', THREE);
  const { router, got } = hops(recipient => (recipient.startsWith('b') ? 'refused' : 'accepted'));
  const { copies, record } = await release(
    quarantine,
    () => router,
    'x',
    ALL,
    () => clock.now,
  );
  assert.deepEqual(
    copies.map(c => [c.to, c.answer.kind]),
    [
      ['a@example.com', 'accepted'],
      ['b@example.com', 'refused'],
      ['c@example.org', 'accepted'],
    ],
  );
  assert.deepEqual(
    got.toSorted((a, b) => (String(a.recipients) < String(b.recipients) ? -1 : 1)),
    [
      { recipients: ['a@example.com'], text: ADDED.toString() + BODY },
      { recipients: ['c@example.org'], text: ADDED.toString() + BODY },
    ],
  );
  assert.equal(record?.event, 'quarantine-not-released');
  assert.ok(record.id.startsWith('x.'));
  assert.deepEqual(
    record.recipients.map(r => r.outcome),
    ['delivered', 'held', 'delivered'],
  );
  assert.equal(await states(quarantine, 'x'), 'released held released');
  assert.equal(await fileStates(quarantine, 'x'), 'released held released');
});

test('a release that died: not sent again until somebody says so, and only after a while', async t => {
  const { quarantine, hold, clock, connect } = open(t);
  await hold('x', THREE);
  const claim = await quarantine.claim('x', [0, 1], false);
  await claim.close();
  assert.equal(await fileStates(quarantine, 'x'), 'releasing releasing held');
  const { router, got } = hops();
  const now = () => clock.now;
  const again = { ...ALL, again: true };
  assert.equal(
    (await release(quarantine, () => router, 'x', { ...again, numbers: [0] }, now)).copies.length,
    0,
  );
  clock.now += RELEASE_MS + 1;
  assert.equal(
    (await release(quarantine, () => router, 'x', { ...ALL, numbers: [0] }, now)).copies.length,
    0,
  );
  assert.equal(got.length, 0);
  assert.equal((await release(quarantine, () => router, 'x', again, now)).copies.length, 3);
  assert.equal(await fileStates(quarantine, 'x'), 'released released released');
  // With the index lost in the middle of it, too.
  await hold('y', ['a@example.com']);
  await (await quarantine.claim('y', null, false)).close();
  const fresh = connect('fresh');
  await fresh.rebuild();
  assert.equal((await release(fresh, () => router, 'y', ALL, now)).copies.length, 0);
});

test('an index that is older than the files: nothing is sent twice', async t => {
  const { quarantine, hold, clock, connect } = open(t);
  await hold('x', THREE);
  const stale = connect('stale');
  await stale.catchUp();
  const { router, got } = hops();
  const now = () => clock.now;
  await release(quarantine, () => router, 'x', { ...ALL, numbers: [0] }, now);
  await (await quarantine.claim('x', [1], false)).close();
  const sent = got.length;
  const late = await release(stale, () => router, 'x', ALL, now);
  assert.deepEqual(
    late.copies.map(c => c.n),
    [2],
  );
  assert.equal(got.length, sent + 1);
  assert.equal(await states(stale, 'x'), 'released releasing released');
});

test('of many who claim at once, one gets each copy', async t => {
  const { hold, connect } = open(t);
  await hold('x', THREE);
  const shells = ['index', 'index', 'index', 'index'].map(name => connect(name));
  const claims = await Promise.all(shells.map(shell => shell.claim('x', null, false)));
  assert.deepEqual(
    claims.flatMap(claim => claim.numbers).toSorted((a, b) => a - b),
    [0, 1, 2],
  );
  for (const claim of claims) await claim.close();
});

test('deleted copies lose their contents with the last of them', async t => {
  const { quarantine, hold, clock, names } = open(t);
  await hold('x', THREE);
  const { router } = hops();
  assert.deepEqual(await quarantine.delete('x', [1]), [1]);
  assert.deepEqual(await quarantine.delete('x', [1]), []);
  assert.deepEqual(names(), ['x']);
  await release(
    quarantine,
    () => router,
    'x',
    { ...ALL, numbers: [0] },
    () => clock.now,
  );
  assert.deepEqual(await quarantine.delete('x', [2]), [2]);
  assert.deepEqual(names(), ['x:2,S']);
  assert.deepEqual(await quarantine.delete('x', null), [0]);
  assert.deepEqual(names(), ['x:2,ST']);
  assert.equal((await quarantine.index.byId('x'))?.hasContent, false);
  await using file = await quarantine.open('x');
  assert.equal(file.hasContent, false);
  assert.deepEqual(
    deletionRecord(file.head, [0], 5).recipients.map(r => [r.address, r.outcome]),
    [['a@example.com', 'discarded']],
  );
  await assert.rejects(quarantine.claim('x', null, false), /contents were removed/);
});

test('what is too old expires, and is removed altogether when its record is, too', async t => {
  const { quarantine, hold, clock, names } = open(t);
  const born = sampleRecord().time;
  await hold('old', THREE, born);
  await hold('released', ['a@example.com'], born);
  await hold('dying', ['a@example.com'], born);
  await hold('young', ['a@example.com'], born + 5 * DAY);
  await hold('gone', ['a@example.com'], born);
  await quarantine.catchUp();
  const { router } = hops();
  await release(
    quarantine,
    () => router,
    'released',
    ALL,
    () => clock.now,
  );
  rmSync(path.join(quarantine.files.folder, 'new/gone'));
  clock.now = born + 3 * DAY;
  const retention = { days: 3, recordDays: 2 };
  assert.deepEqual(await expireOld(quarantine, retention, clock.now, 100), { expired: 0, forgotten: 0 });
  clock.now += 1;
  await (await quarantine.claim('dying', null, false)).close();
  assert.deepEqual(await expireOld(quarantine, retention, clock.now, 2), { expired: 1, forgotten: 0 });
  assert.deepEqual(await expireOld(quarantine, retention, clock.now, 100), { expired: 2, forgotten: 0 });
  assert.equal(await states(quarantine, 'old'), 'expired expired expired');
  assert.equal(await states(quarantine, 'released'), 'released');
  assert.equal(await states(quarantine, 'dying'), 'releasing');
  assert.deepEqual(names().toSorted(), ['dying', 'old:2,ST', 'released:2,ST', 'young']);
  clock.now += RELEASE_MS + 1;
  assert.deepEqual(await expireOld(quarantine, retention, clock.now, 100), { expired: 1, forgotten: 0 });
  clock.now += 2 * DAY;
  assert.deepEqual(await expireOld(quarantine, retention, clock.now, 100), { expired: 0, forgotten: 3 });
  assert.deepEqual(names(), ['young']);
  assert.deepEqual(await quarantine.index.ids('', 10), ['young']);
});

test('the index is found again: what nobody told of, what was moved, what was removed', async t => {
  const { quarantine, hold, folder } = open(t);
  for (const id of ['a', 'b', 'c', 'd']) await hold(id);
  assert.equal(await quarantine.catchUp(), 4);
  assert.equal(await quarantine.catchUp(), 0);
  // A mail tool has looked at one and deleted another; somebody has left files of his own.
  renameSync(path.join(folder, 'new/a'), path.join(folder, 'cur/a:2,RS'));
  rmSync(path.join(folder, 'new/b'));
  writeFileSync(path.join(folder, 'new/c'), 'From: nobody\n\n');
  writeFileSync(path.join(folder, 'new/.hidden'), '');
  writeFileSync(path.join(folder, 'cur/foreign'), 'x');
  await hold('e');
  const problems: string[] = [];
  const watcher = { problem: (text: string) => problems.push(text) };
  assert.equal(await quarantine.catchUp(watcher), 2);
  assert.deepEqual(await quarantine.index.ids('', 10), ['a', 'c', 'd', 'e']);
  assert.match(problems.join(), /^[^,]*cur\/foreign: does not begin as a held copy does$/);
  assert.equal(await fileStates(quarantine, 'a'), 'held');
  problems.length = 0;
  assert.deepEqual(await quarantine.rebuild(watcher), { copies: 3, forgotten: 0 });
  assert.equal(problems.length, 2);
});

test('litter in tmp is removed when it is old', async t => {
  const { quarantine, folder } = open(t);
  mkdirSync(path.join(folder, 'tmp'));
  for (const [name, hours] of [
    ['old', 37],
    ['new', 35],
  ] as const) {
    const file = path.join(folder, 'tmp', name);
    writeFileSync(file, 'half');
    utimesSync(file, 0, 1_800_000_000 - hours * 3600);
  }
  assert.equal(await quarantine.files.removeLitter(1_800_000_000_000), 1);
  assert.ok(existsSync(path.join(folder, 'tmp/new')) && !existsSync(path.join(folder, 'tmp/old')));
});

test('whatever was done, the files alone make the same index (property)', async t => {
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom('release', 'refused', 'claim', 'delete'), n: fc.nat(2) }),
    fc.constant({ kind: 'expire', n: 0 }),
    fc.constant({ kind: 'release to', n: 0 }),
  );
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async steps => {
      const rig = open(t);
      const { quarantine, clock } = rig;
      await rig.hold('x', THREE);
      await quarantine.catchUp();
      const now = () => clock.now;
      let delivered = 0;
      for (const { kind, n } of steps) {
        clock.now += 1000;
        const { router, got } = hops(() => (kind === 'refused' ? 'refused' : 'accepted'));
        const some = { ...ALL, numbers: [n] };
        const done = (async () => {
          if (kind === 'release' || kind === 'refused')
            await release(quarantine, () => router, 'x', some, now);
          if (kind === 'release to')
            await release(quarantine, () => router, 'x', { ...ALL, to: address('z@example.com') }, now);
          if (kind === 'claim') await (await quarantine.claim('x', [n], false)).close();
          if (kind === 'delete') await quarantine.delete('x', [n]);
          if (kind === 'expire') await quarantine.expire('x');
        })();
        await done.catch((error: unknown) => assert.match(String(error), /contents were removed/));
        delivered += got.length;
      }
      assert.ok(delivered <= 3);
      const before = await quarantine.index.byId('x');
      const rebuilt = rig.connect(`again${++runs}`);
      await rebuilt.rebuild();
      assert.deepEqual(await rebuilt.index.byId('x'), before);
      clock.now += RELEASE_MS + 1;
      await quarantine.rebuild();
      assert.deepEqual(await quarantine.index.byId('x'), before);
    }),
    { numRuns: 25 },
  );
});
