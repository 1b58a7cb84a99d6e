import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Complaints } from '../../src/control/complaints.ts';
import { Configuration } from '../../src/control/configuration.ts';
import { Effective } from '../../src/control/effective.ts';
import type { SettingValues } from '../../src/control/settings.ts';
import { SETTING_NAMES, SETTINGS } from '../../src/control/settings.ts';
import { parseSimcontrol } from '../../src/control/simcontrol.ts';
import { parseTcpRules } from '../../src/control/tcprules.ts';
import { address } from '../../src/model/address.ts';

function configuration(tcp: string, simcontrol: string): Configuration {
  const complaints = new Complaints();
  const values = Object.fromEntries(SETTING_NAMES.map(name => [name, SETTINGS[name].builtIn]));
  const site = new Effective(
    values as unknown as SettingValues,
    new Map([['databytes', { layer: 'site', place: 'control/databytes' }]]),
  );
  const made = new Configuration(
    'test',
    site,
    tcp === '' ? null : parseTcpRules(tcp, 'tcp.smtp', complaints),
    simcontrol === '' ? null : parseSimcontrol(simcontrol, 'simcontrol', complaints),
  );
  assert.deepEqual(complaints.list, []);
  return made;
}

const client = (ip: string, host: string | null = null) => ({ ip, host, info: null });

test('a client obeys one line, and gets the site’s settings where the line says nothing', () => {
  const made = configuration('10.:allow,MAXRCPT="5",OTHER="x"\n11.:allow\n12.:deny,MAXRCPT="5"\n', '');
  const ten = made.forClient(client('10.0.0.1'));
  assert.deepEqual([ten.action, ten.rule?.place, ten.effective.values.maxrcpt], ['allow', 'tcp.smtp:1', 5]);
  assert.deepEqual(ten.effective.origin('maxrcpt'), { layer: 'client', place: 'tcp.smtp:1' });
  assert.deepEqual(ten.effective.origin('databytes'), { layer: 'site', place: 'control/databytes' });
  assert.equal(made.forClient(client('11.0.0.1')).effective, made.site);
  assert.equal(made.forClient(client('12.0.0.1')).action, 'deny');
  const none = made.forClient(client('13.0.0.1'));
  assert.deepEqual([none.action, none.rule, none.effective === made.site], ['allow', null, true]);
});

test('clients of one line share one settings object', () => {
  const made = configuration('10.:allow,MAXRCPT="5"\n', '');
  assert.equal(made.forClient(client('10.0.0.1')).effective, made.forClient(client('10.9.9.9')).effective);
});

test('a recipient’s lines go on top: default, domain, address; equal ones are one group', () => {
  const made = configuration(
    '10.:allow,OBSERVE="HOPS"\n',
    ':rejectscore=9,tagscore=3\nexample.com:rejectscore=7\njoe@example.com:rejectscore=5\n',
  );
  const score = (to: string, from = made.site) => made.forRecipient(from, address(to)).values.rejectscore;
  assert.equal(score('x@other.example'), 9);
  assert.equal(score('x@example.com'), 7);
  assert.equal(score('x@EXAMPLE.com'), 7);
  assert.equal(score('joe@example.com'), 5);
  assert.equal(score('Joe-list@example.com'), 5, 'simscan takes joe for joe-list, too');
  const group = (to: string) => made.forRecipient(made.site, address(to));
  assert.equal(group('a@example.com'), group('b@Example.com'));
  assert.notEqual(group('a@example.com'), group('joe@example.com'));
  const joe = group('joe@example.com');
  assert.equal(joe.values.tagscore, 3);
  assert.deepEqual(joe.origin('tagscore'), { layer: 'recipient', place: 'simcontrol:1' });
  assert.deepEqual(joe.origin('rejectscore'), { layer: 'recipient', place: 'simcontrol:3' });
  const viaTen = made.forRecipient(made.forClient(client('10.0.0.1')).effective, address('joe@example.com'));
  assert.deepEqual(viaTen.values.observe, ['HOPS']);
  assert.equal(viaTen.values.rejectscore, 5);
  assert.equal(joe.values.observe.length, 0, 'one client’s settings never reach another');
});

test('what the record shows are the settings that somebody has set', () => {
  const made = configuration('10.:allow,MAXRCPT="5"\n', 'example.com:observe=HOPS\n');
  const effective = made.forRecipient(made.forClient(client('10.0.0.1')).effective, address('a@example.com'));
  assert.deepEqual(
    effective.changed.map(({ name, value, origin }) => [name, value, origin.place]),
    [
      ['databytes', '52428800', 'control/databytes'],
      ['maxrcpt', '5', 'tcp.smtp:1'],
      ['observe', 'hops', 'simcontrol:1'],
    ],
  );
});

/** The example of simscan.md 5, as the old handbook has it. */
const HANDBOOK = [
  'postmaster@example.com:clam=yes,spam=no,attach=.txt:.com',
  'example.com:clam=no,spam=yes,attach=.mp3',
  ':clam=yes,spam=yes,trophie=yes,spam_hits=20.1',
];

const summary = ({ values }: Effective) =>
  [
    values.clam ? 'clam' : '',
    values.spam ? `spam>=${values.spam_hits}` : '',
    values.trophie ? 'trophie' : '',
    ...values.attach.patterns,
  ]
    .filter(word => word !== '')
    .join(' ');

test('the worked example: each recipient’s settings', () => {
  const made = configuration('', `${HANDBOOK.join('\n')}\n`);
  const table: readonly [recipient: string, settings: string][] = [
    ['u@elsewhere', 'clam spam>=20.1 trophie'],
    ['u@example.com', 'spam>=20.1 trophie .mp3'],
    ['postmaster@example.com', 'clam trophie .txt .com'],
    ['Postmaster@EXAMPLE.COM', 'clam trophie .txt .com'],
    ['postmaster-x@example.com', 'clam trophie .txt .com'],
    ['u@sub.example.com', 'clam spam>=20.1 trophie'],
  ];
  for (const [recipient, settings] of table)
    assert.equal(summary(made.forRecipient(made.site, address(recipient))), settings, recipient);
});

test('the worked example: one set of settings for the message, as simscan merges them', () => {
  const made = configuration('', `${HANDBOOK.join('\n')}\n`);
  const table: readonly [sender: string, recipients: readonly string[], settings: string][] = [
    ['x@other', ['u@elsewhere'], 'clam spam>=20.1 trophie'],
    ['x@other', ['u@example.com'], 'spam>=20.1 trophie .mp3'],
    ['x@other', ['postmaster@example.com'], 'clam trophie .txt .com'],
    ['x@other', ['postmaster@example.com', 'u@example.com'], 'spam>=20.1 trophie .mp3'],
    ['x@other', ['u@example.com', 'postmaster@example.com'], 'clam trophie .txt .com'],
    ['u@example.com', ['y@elsewhere'], 'spam>=20.1 trophie .mp3'],
  ];
  for (const [sender, recipients, settings] of table) {
    const effective = made.forMessage(made.site, address(sender), recipients.map(address));
    assert.equal(summary(effective), settings, `${sender} to ${recipients.join()}`);
  }
});

test('attach replaces, regex adds, from the default to the address', () => {
  const made = configuration(
    '',
    ':attach=.exe,regex=free\nexample.com:attach=.com:.pif,regex=viagra:^subject\njoe@example.com:regex=bank\n',
  );
  const joe = made.forRecipient(made.site, address('joe@example.com'));
  assert.deepEqual(joe.values.attach.patterns, ['.com', '.pif']);
  assert.deepEqual(
    joe.values.regex.map(one => `#${one.number} ${one.source}`),
    ['#0 free', '#1 viagra', '#2 ^subject', '#3 bank'],
  );
  assert.equal(joe.origin('regex').place, 'simcontrol:1 and simcontrol:2 and simcontrol:3');
  assert.equal(joe.origin('attach').place, 'simcontrol:2');
  assert.equal(made.forRecipient(made.site, address('x@other.example')).values.regex.length, 1);
});
