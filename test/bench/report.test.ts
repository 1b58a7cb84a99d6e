import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, markdown, median } from '../../bench/report.ts';
import type { Measured } from '../../bench/report.ts';
import { ROWS } from '../../bench/rows.ts';

test('median', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test('a ratio is taken in each round, and the median of them is held against the bar', () => {
  const round = (haraka: number, postern: number) =>
    new Map([
      ['haraka', { cpu: haraka }],
      ['postern', { cpu: postern }],
    ]);
  const measured: Measured = new Map([['4k-fresh', [round(8, 1), round(30, 2), round(5, 1)]]]);
  const [line, ...more] = compare(measured);
  assert.deepEqual(more, []);
  assert.deepEqual(line?.rounds, [8, 15, 5]);
  assert.equal(line?.value, 8);
  assert.equal(line?.passed, true);
  assert.match(markdown([line], ROWS), /Haraka ÷ Postern \| 8\.00× \| 5\.00 – 15\.0 \| ≥ 8× \| pass \|/);
});

test('a missed bar fails, and so does a figure that is no number', () => {
  const measured = (p50: number): Measured =>
    new Map([
      [
        'latency-kept',
        [
          new Map([
            ['direct', { p50: 0.25 }],
            ['postern', { p50 }],
          ]),
        ],
      ],
    ]);
  assert.equal(compare(measured(1.2)).at(0)?.passed, true);
  assert.equal(compare(measured(1.3)).at(0)?.passed, false);
  assert.equal(compare(measured(NaN)).at(0)?.passed, false);
});

test('what was not measured is not in the table', () => {
  assert.deepEqual(compare(new Map([['4k-fresh', [new Map([['haraka', { cpu: 1 }]])]]])), []);
});
