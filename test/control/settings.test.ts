import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Complaints } from '../../src/control/complaints.ts';
import type { AnySetting } from '../../src/control/settings.ts';
import { SETTING_NAMES, SETTINGS, settingNamed } from '../../src/control/settings.ts';
import { complaintText } from '../../src/model/origin.ts';

const setting = (name: string): AnySetting => {
  const found = settingNamed(name);
  assert.ok(found, name);
  return found;
};

/** A control file as its setting reads it. */
function file(name: string, text: string) {
  const complaints = new Complaints();
  const value = setting(name).kind.file(text, name, complaints);
  return { value, said: complaints.list.map(complaintText) };
}

/** `NAME="text"` of tcp.smtp or simcontrol: the value, or what was wanted. */
const variable = (name: string, text: string) => setting(name).kind.value?.(text);

test('built-in values are the ones of the design', () => {
  const wanted = {
    databytes: 52_428_800,
    maxrcpt: 1000,
    maxmessages: 100,
    commandlength: 2048,
    headerbytes: 262_144,
    headerfields: 2000,
    maxhops: 50,
    concurrencyperclient: 20,
    concurrencyincoming: 500,
    harderrors: 15,
    timeoutsmtpd: 300,
    sessiontime: 1800,
    datarate: 500,
    datatime: 240,
    dnstimeout: 3000,
    spoolbytes: 262_144,
    greetdelay: 0,
    refuseat: 'rcpt',
    openrelay: false,
    rcpthosts: null,
  };
  for (const [name, value] of Object.entries(wanted)) assert.deepEqual(setting(name).builtIn, value, name);
});

test('built-in values can be shown, and a one-line value reads back as it is shown', () => {
  for (const name of SETTING_NAMES) {
    const { kind, builtIn } = setting(name);
    const shown = kind.show(builtIn);
    assert.equal(typeof shown, 'string', name);
    const inFile = (SETTINGS[name].layers as readonly string[]).includes('site');
    if (inFile && (typeof builtIn === 'number' || typeof builtIn === 'boolean')) {
      assert.deepEqual(file(name, `${shown}\n`), { value: builtIn, said: [] }, name);
    }
  }
});

const FILES: readonly [name: string, text: string, value: unknown, said: RegExp | null][] = [
  ['databytes', '1000\n', 1000, null],
  ['databytes', '1000', 1000, null],
  ['databytes', '0\n', 0, null],
  ['databytes', '10 MB\nmore\n', 10, /databytes:1: warning: "10 MB" counts as 10/],
  ['databytes', 'ten\n', undefined, /databytes:1: warning: .* the file is ignored/],
  ['databytes', '', undefined, /warning/],
  ['harderrors', '7 \n', 7, null],
  ['harderrors', '-1\n', undefined, /^harderrors:1: "-1" is not a number from 0 to 10000/],
  ['harderrors', '99999\n', undefined, /is not a number from 0 to 10000/],
  ['sessiontime', '5\n', undefined, /is not a number from 10 to 86400 \(seconds\)/],
  ['rejectscore', '7.5\n', 7.5, null],
  ['rejectscore', '7,5\n', undefined, /is not a number such as 5 or 7\.5/],
  ['openrelay', 'YES\n', true, null],
  ['openrelay', '', false, null],
  ['openrelay', 'maybe\n', undefined, /is neither yes nor no/],
  ['refuseat', 'Stage\n', 'stage', null],
  ['refuseat', 'banner\n', undefined, /is none of rcpt, stage/],
  ['me', ' mx.example.com\n', ' mx.example.com', /warning: the line begins with a blank/],
  ['me', 'mx.example.com\r\n', 'mx.example.com\r', /warning/],
  ['checks', '# all but one\nrbl\n\nbadhelo \n', ['rbl', 'badhelo'], null],
  ['observe', 'RBL_REJECT\nHOPS\n', ['RBL_REJECT', 'HOPS'], null],
  ['listen', '127.0.0.1:25\n[::1]:25\n', ['127.0.0.1:25', '[::1]:25'], null],
  ['listen', '*:25\n', [], /^listen:1: "\*:25" is not IP:PORT/],
  ['listen', '127.0.0.1\n', [], /is not IP:PORT/],
  ['listen', '127.0.0.1:65536\n', [], /is not IP:PORT/],
  ['listen', '[127.0.0.1]:25\n', [], /is not IP:PORT/],
  ['listen', '::1:25\n', [], /is not IP:PORT/],
  ['proxyfrom', '10.0.0.0/8\n2001:db8::/32\n192.0.2.1\n', ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'], null],
  ['proxyfrom', '10\n', [], /neither an address nor a network/],
  ['proxyfrom', '10.0.0.0/33\n', [], /neither an address nor a network/],
  ['proxyfrom', '10.0.0.0/\n', [], /neither an address nor a network/],
  ['proxyfrom', '::/129\n', [], /neither an address nor a network/],
  [
    'dnsservers',
    '127.0.0.1\n127.0.0.1:5353\n::1\n[::1]:53\n',
    ['127.0.0.1', '127.0.0.1:5353', '::1', '[::1]:53'],
    null,
  ],
  ['dnsservers', '127.0.0.1:0\n', [], /is not IP, IP:PORT/],
];

test('control files are read by the rules of their kind', () => {
  for (const [name, text, value, said] of FILES) {
    const found = file(name, text);
    assert.deepEqual(found.value, value, `${name}: ${JSON.stringify(text)}`);
    if (said === null) assert.deepEqual(found.said, [], name);
    else assert.match(found.said.join('\n'), said);
  }
});

test('variables are read by the rules of qmail-smtpd', () => {
  const cases: readonly [string, string, unknown][] = [
    ['databytes', '2000', { value: 2000 }],
    ['databytes', '', { value: 0 }],
    ['databytes', '12x', { value: 12 }],
    ['databytes', 'x', { value: 0 }],
    ['relayclient', '', { value: '' }],
    ['relayclient', '@x', { value: '@x' }],
    ['rblsmtpd', '-no', { value: '-no' }],
    ['nobadhelo', '', { value: true }],
    ['requirehelo', '1', { value: true }],
    ['observe', 'A:B', { value: ['A', 'B'] }],
    ['harderrors', 'x', { wanted: '"x" is not a number from 0 to 10000 (errors)' }],
  ];
  for (const [name, text, wanted] of cases) assert.deepEqual(variable(name, text), wanted, name);
});

test('lists and formats have no form in a variable, and are not offered there', () => {
  for (const name of SETTING_NAMES) {
    if (setting(name).kind.value === null)
      assert.deepEqual([...SETTINGS[name].layers], ['default', 'site'], name);
  }
});

test('no text makes a parser throw, and what it refuses it complains of', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes).toString('latin1')),
    fc
      .array(
        fc.constantFrom('\n', '#', ':', '-r ', 'a.example', '0', '[', '(', '"', '!', '%', '\0', '1.2.3.4'),
        { maxLength: 12 },
      )
      .map(words => words.join('')),
  );
  for (const name of SETTING_NAMES) {
    const property = fc.property(text, input => {
      const { value, said } = file(name, input);
      if (value === undefined) assert.ok(said.length > 0);
      for (const line of said) assert.ok(line.startsWith(name));
      setting(name).kind.value?.(input);
    });
    fc.assert(property, { numRuns: 40 });
  }
});
