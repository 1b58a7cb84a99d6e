import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, dnsOf } from './asking.ts';

const FAIL = { 'TXT example.net': ['v=spf1 -all'] };
const SENDER = 'jack&jill=up~a_b/3.c@example.net';

/** Macros of `spfexp`, for 192.0.2.1 and the sender above. */
const MACROS: readonly [text: string, wanted: string][] = [
  [
    '',
    'See http://spf.pobox.com/why.html?sender=jack%26jill%3dup%7ea_b%2f3.c%40example.net&ip=192.0.2.1&receiver=mx.example.com',
  ],
  ['%{s} %{l} %{o} %{d}', `${SENDER} jack&jill=up~a_b/3.c example.net example.net`],
  ['%{L}', 'jack%26jill%3dup%7ea_b%2f3.c'],
  [
    '%{i} %{v} %{h} %{p} %{c} %{r} %{t}',
    '192.0.2.1 in-addr client.example unknown 192.0.2.1 mx.example.com 0',
  ],
  ['%{ir} %{d1} %{dr} %{l2/} %{l1r=}', '1.2.0.192 net net.example jack&jill=up~a_b.3.c jack&jill'],
  ['%{xR} %{xS} [%{xE}]', 'mx.example.com SPF record at example.net []'],
  ['100%% %_ %-', '100%   %20'],
  ['%{q} %{ %x %', '%{q} %{ %x %'],
  ['\xe9\n\x07', '???'],
];

for (const [explanation, wanted] of MACROS) {
  test(`spfexp ${JSON.stringify(explanation)}`, async () => {
    const outcome = await ask(dnsOf(FAIL), { sender: SENDER, explanation });
    assert.equal(outcome.explanation, wanted);
  });
}

test('%{xE} is the mechanism that nobody knows, %{xS} local policy where it is', async () => {
  const explanation = '%{xE} in %{xS}';
  const unknown = await ask(dnsOf({ 'TXT example.net': ['v=spf1 magic -all'] }), { explanation });
  assert.equal(unknown.explanation, 'magic in SPF record at example.net');
  assert.equal((await ask(dnsOf({}), { explanation, guess: '-all' })).explanation, ' in local policy');
});

test('what the client says cannot make a text endless, nor bring line ends into it', async () => {
  const outcome = await ask(dnsOf(FAIL), {
    helo: `${'x'.repeat(3000)}\r\n250 ok`,
    explanation: '%{h}'.repeat(100),
  });
  assert.equal(outcome.explanation.length, 4096);
  assert.match(outcome.explanation, /^[ -~]+$/);
});

test('the domain’s own words come first, when there are any', async () => {
  const record = { 'TXT example.net': ['v=spf1 -all exp=why.%{d}'] };
  const own = await ask(dnsOf({ ...record, 'TXT why.example.net': ['%{c} is not ours\xe9'] }), {
    explanation: 'ours',
  });
  assert.equal(own.explanation, 'ours', 'a byte above 127 is no explanation');
  for (const [texts, wanted] of [
    [['%{c} is not ours'], '192.0.2.1 is not ours'],
    [['one', 'two'], 'ours'],
    [['100 % sure'], 'ours'],
    [[], 'ours'],
    ['fails', 'ours'],
  ] as const) {
    const outcome = await ask(dnsOf({ ...record, 'TXT why.example.net': texts }), { explanation: 'ours' });
    assert.deepEqual([outcome.result, outcome.explanation], ['fail', wanted]);
  }
});
