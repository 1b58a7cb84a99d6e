import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConnectionArbiter } from '../../src/cli/serve/connection-arbiter.ts';
import { OVERDRAFT_MS, SharedConnectionLimits } from '../../src/smtp/connection-limits.ts';

/** Workers and their supervisor in one process, with a clock that is turned by hand. */
class Fleet {
  readonly #perClient: number;
  readonly #total: number;
  readonly #size: number;
  readonly workers: SharedConnectionLimits[] = [];
  readonly #arbiter: ConnectionArbiter;
  #now = 1_000_000;
  /** Questions that went to the supervisor. */
  asked = 0;

  constructor(size: number, perClient: number, total: number) {
    this.#size = size;
    this.#perClient = perClient;
    this.#total = total;
    this.#arbiter = new ConnectionArbiter(() =>
      this.workers.map(worker => ({
        count: (id, key, crowded) => {
          const counts = worker.count(key, crowded);
          this.#arbiter.counted(id, counts.client, counts.total);
        },
      })),
    );
    for (let i = 0; i < size; i++) this.workers.push(this.#worker(false));
  }

  #worker(replacement: boolean): SharedConnectionLimits {
    const worker: SharedConnectionLimits = new SharedConnectionLimits(
      this.#size,
      question =>
        new Promise(resolve => {
          this.asked++;
          const answer = (granted: boolean) => {
            if (granted) worker.granted(question.key);
            resolve(granted);
          };
          this.#arbiter.ask({ ...question, answer });
        }),
      () => this.#now,
      replacement,
    );
    return worker;
  }

  async open(index: number, key: string): Promise<boolean> {
    return (this.workers[index] as SharedConnectionLimits).acquire(key, this.#perClient, this.#total);
  }

  close(index: number, key: string): boolean {
    const worker = this.workers[index] as SharedConnectionLimits;
    if (worker.counts.of(key) === 0) return false;
    worker.release(key);
    return true;
  }

  /** The worker dies with its connections, and another takes its place. */
  replace(index: number): void {
    this.workers[index] = this.#worker(true);
  }

  wait(ms: number): void {
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now += Math.min(OVERDRAFT_MS, end - this.#now);
      for (const worker of this.workers) {
        const overdraft = worker.overdraft();
        if (overdraft) for (const other of this.workers) if (other !== worker) other.contend(overdraft);
      }
    }
  }

  of(key: string): number {
    return this.workers.reduce((sum, worker) => sum + worker.counts.of(key), 0);
  }

  get total(): number {
    return this.workers.reduce((sum, worker) => sum + worker.counts.total, 0);
  }
}

const KEYS = ['a', 'b', 'c', 'd'];
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('open'), at: fc.nat(2), key: fc.constantFrom(...KEYS) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('close'), at: fc.nat(2), key: fc.constantFrom(...KEYS) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replace'), at: fc.nat(2), key: fc.constant('') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), at: fc.nat(20), key: fc.constant('') }) },
);

test('whatever happens, the workers together keep to both limits and give away every free place', async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 7 }),
    fc.integer({ min: 1, max: 12 }),
    fc.array(step, { maxLength: 80 }),
    async (perClient, total, steps) => {
      const fleet = new Fleet(3, perClient, total);
      for (const { do: what, at, key } of steps) {
        if (what === 'open') {
          const free = fleet.of(key) < perClient && fleet.total < total;
          assert.equal(await fleet.open(at, key), free);
        } else if (what === 'close') fleet.close(at, key);
        else if (what === 'replace') fleet.replace(at);
        else fleet.wait(at * 1000);
        for (const one of KEYS) assert.ok(fleet.of(one) <= perClient);
        assert.ok(fleet.total <= total);
      }
    },
  );
  await fc.assert(property, { numRuns: 300 });
});

test('connections that come all at once keep to the limits as well', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.record({ at: fc.nat(2), key: fc.constantFrom(...KEYS) }), { minLength: 10, maxLength: 40 }),
    async wanted => {
      const fleet = new Fleet(3, 4, 9);
      const granted = await Promise.all(wanted.map(({ at, key }) => fleet.open(at, key)));
      for (const key of KEYS) assert.ok(fleet.of(key) <= 4);
      assert.ok(fleet.total <= 9);
      assert.equal(granted.filter(Boolean).length, fleet.total);
    },
  );
  await fc.assert(property, { numRuns: 300 });
});

test('clients that are far from the limits cost no question', async () => {
  const fleet = new Fleet(2, 20, 500);
  for (let i = 0; i < 200; i++) {
    const key = `client ${i % 20}`;
    assert.equal(await fleet.open(i % 2, key), true);
    if (i > 100) fleet.close(i % 2, key);
  }
  assert.equal(fleet.asked, 0);
});

test('a client that has less than its share again is soon not asked about any more', async () => {
  const fleet = new Fleet(2, 4, 100);
  for (let i = 0; i < 4; i++) await fleet.open(0, 'a');
  assert.equal(await fleet.open(1, 'a'), false);
  fleet.wait(60_000);
  const during = fleet.asked;
  assert.equal(await fleet.open(1, 'a'), false, 'still all taken, a minute later');
  assert.ok(fleet.asked > during);
  for (let i = 0; i < 3; i++) fleet.close(0, 'a');
  fleet.wait(60_000);
  const after = fleet.asked;
  assert.equal(await fleet.open(1, 'a'), true);
  assert.equal(fleet.asked, after);
});
