import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpfRecord, localTerms, parseRecord, termsOf, withLocalRules } from '../../src/auth/spf-record.ts';

test('which texts are records', () => {
  for (const text of ['v=spf1', 'v=spf1 ', 'v=spf1 -all', 'V=SPF1 a']) assert.ok(isSpfRecord(text), text);
  for (const text of ['', 'v=spf10', 'v=spf1\t-all', ' v=spf1', 'v=spf2.0/pra', 'spf1'])
    assert.ok(!isSpfRecord(text), text);
});

/** A record, and with `RULES` put into it as qmail-spf rc5 does. */
const INSERTED: readonly [record: string, wanted: string][] = [
  ['a mx -all', 'a mx RULES -all'],
  ['a ~mx ~all', 'a RULES ~mx ~all'],
  ['a -ip4:10.0.0.1 -mx -all', 'a RULES -ip4:10.0.0.1 -mx -all'],
  ['-a ?mx -all', '-a ?mx RULES -all'],
  ['-all', 'RULES -all'],
  ['a -ALL exp=x.example', 'a RULES -ALL exp=x.example'],
  ['a ?all b -all', 'a RULES ?all b -all'],
  ['a +all', 'a +all'],
  ['a all -all', 'a all -all'],
  ['a mx', 'a mx'],
  ['redirect=x.example', 'redirect=x.example'],
  ['', ''],
];

for (const [record, wanted] of INSERTED) {
  test(`spfrules in "${record}"`, () => {
    const terms = withLocalRules(termsOf(`v=spf1 ${record}`), 'RULES');
    assert.equal(terms.map(term => term.text).join(' '), wanted);
    assert.ok(terms.every(term => term.local === (term.text === 'RULES')));
  });
}

const GOOD = [
  'a a:x.example a/24 a//64 a:x.example/24//64 mx:x/y.example/0 a:%{d}',
  'ip4:192.0.2.1 ip4:0.0.0.0/0 ip6:::1 ip6:2001:db8::/32 ip6:::ffff:192.0.2.1/128',
  'include:x.example exists:%{ir}.%{v}._spf.%{d2} ptr ptr:x.example all',
  '+a -a ~a ?a A:X.EXAMPLE Include:%{D}',
  'redirect=x.example exp=%{l1r-}.x.example',
  'unknown=%{c} un-known.x_1=',
  'a:x.example. a:%{s}%% a:x-1.ex-ample a:%{l}.1a',
];

const SYNTAX = [
  'a: a:/24 a/33 a/08 a//129 a/24/64 a:x.1 a:x a:x.-e a:x.e- mx: mx:x..',
  'ip4: ip4 ip4:1.2.3 ip4:1.2.3.4.5 ip4:01.2.3.4 ip4:1.2.3.4/ ip4:1.2.3.4/33 ip4:1.2.3.4/024 ip4:::1 ip4:1.2.3.4:8080',
  'ip6: ip6 ip6:1.2.3.4 ip6:::1/129 ip6:::1/ ip6:::g ip6:fe80::1%eth0 ip6:::1//64',
  'include include: include:x exists exists: ptr: all: all/8 all.',
  'redirect= redirect=x exp= exp=x exp=%{c}.example redirect:x.example/=',
  'a:%{x}.example a:%{d0} a:%{d a:% a:%x.example a:%{dd} a:\xe9.example',
  'un=% 1x=y =x -redirect=x.example a:x.example\t-all --all \0',
];

test('what the grammar allows', () => {
  for (const record of GOOD) {
    const parsed = parseRecord(localTerms(record));
    assert.ok(!('fault' in parsed), `${record}: ${'fault' in parsed && parsed.term}`);
  }
});

test('what it does not', () => {
  for (const term of SYNTAX.flatMap(line => line.split(' '))) {
    const parsed = parseRecord(localTerms(`a ${term} -all`));
    assert.ok('fault' in parsed, term);
    assert.deepEqual(parsed, { fault: parsed.fault, term });
  }
  for (const twice of ['exp=a.example exp=a.example', 'redirect=a.example Redirect=b.example'])
    assert.ok('fault' in parseRecord(localTerms(twice)), twice);
});

test('a mechanism of somebody’s invention is told apart from a broken one', () => {
  for (const term of ['magic', '-magic:x', '~ma_gic/24', 'ip5:1.2.3.4', 'default'])
    assert.deepEqual(parseRecord(localTerms(term)), { fault: 'mechanism', term });
  for (const term of ['a:', '1x', '(', '-'])
    assert.deepEqual(parseRecord(localTerms(term)), { fault: 'syntax', term });
});
