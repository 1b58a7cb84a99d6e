import assert from 'node:assert/strict';
import { rename, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Complaints } from '../../src/control/complaints.ts';
import type { Configuration } from '../../src/control/configuration.ts';
import { loadConfiguration, loadTcpRules, tcpRulesPaths, withRules } from '../../src/control/load.ts';
import { address } from '../../src/model/address.ts';
import { complaintText } from '../../src/model/origin.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { controlFolder } from '../support/gateway.ts';
import { ROOT, run } from '../support/processes.ts';

interface Loaded {
  readonly configuration: Configuration;
  /** Complaints, places shortened. */
  readonly said: readonly string[];
  readonly errors: number;
}

async function load(controlDir: string | null): Promise<Loaded> {
  const complaints = new Complaints();
  const configuration = await loadConfiguration(
    {
      rulesDir: join(ROOT, 'rules'),
      controlDir,
      ruleNames: new Set(['RBL_REJECT', 'BADHELO']),
      pluginNames: new Set(['rbl', 'badhelo']),
    },
    complaints,
  );
  const unknown = /no plugin reports this rule|no such plugin/;
  // The shipped actions name rules and plugins that this test does not know.
  const list = complaints.list.filter(c => !(c.file.startsWith(join(ROOT, 'rules')) && unknown.test(c.text)));
  return {
    configuration,
    errors: list.filter(c => c.severity === 'error').length,
    said: list.map(c => complaintText(c).replaceAll(`${controlDir}`, 'control')),
  };
}

async function loaded(files: ControlFiles): Promise<Loaded> {
  await using folder = await controlFolder(files);
  return await load(folder.control);
}

test('without a control directory the shipped rules are in force, and are right', async () => {
  const { configuration, said } = await load(null);
  assert.deepEqual(
    said.filter(line => !line.includes('no plugin reports')),
    [],
  );
  assert.equal(configuration.site.values.me, 'postern.example');
  assert.equal(configuration.rules, null);
  assert.equal(configuration.site.origin('rcpthosts').layer, 'default');
});

test('a site never gets the example’s domains and routes by accident', async () => {
  const { configuration, said, errors } = await loaded({
    rcpthosts: null,
    smtproutes: null,
    me: null,
    listen: null,
  });
  const { me, rcpthosts, smtproutes, listen } = configuration.site.values;
  assert.deepEqual([me, rcpthosts, [...smtproutes.all()].length], [hostname(), null, 0]);
  assert.deepEqual(listen, ['127.0.0.1:2525']);
  assert.equal(errors, 2);
  assert.match(said.join('\n'), /^control\/rcpthosts: missing, which would make this an open relay/m);
  assert.match(said.join('\n'), /^control\/smtproutes: missing or empty/m);
});

test('a site’s file takes the place of the shipped one, but actions go on top of it', async () => {
  const { configuration } = await loaded({ rbl: '-r site.example\n', actions: 'BADHELO:defer\n' });
  const { rbl, actions } = configuration.site.values;
  assert.deepEqual(
    rbl.sources.map(list => list.zone),
    ['site.example'],
  );
  assert.equal(actions.rules.get('BADHELO')?.action.kind, 'defer');
  assert.equal(actions.rules.get('RBL_REJECT')?.action.kind, 'reject');
});

test('a file without a reader is worth a word only when it looks like a typing error', async () => {
  const { said } = await loaded({
    rcpthost: 'x\n',
    badmailform: 'x\n',
    concurrencyremote: '20\n',
    'my-notes': 'hello\n',
    '.swp': '',
  });
  assert.deepEqual(said.toSorted(), [
    'control/badmailform: warning: nothing reads this file (did you mean badmailfrom?)',
    'control/rcpthost: warning: nothing reads this file (did you mean rcpthosts?)',
  ]);
});

test('names in checks and actions must exist', async () => {
  const { said } = await loaded({
    checks: 'rlb\nbadhelo\n',
    actions: 'error bedhelo:defer\nRBL_REJEKT:tag\n',
  });
  const text = said.join('\n');
  assert.match(text, /^control\/checks: rlb: no such plugin \(did you mean rbl\?\)/m);
  assert.match(text, /control\/actions:1: bedhelo: no such plugin \(did you mean badhelo\?\)/);
  assert.match(
    text,
    /control\/actions:2: RBL_REJEKT: no plugin reports this rule \(did you mean RBL_REJECT\?\)/,
  );
});

test('the same files give the same generation, any change another', async () => {
  const first = await loaded({ badhelo: 'a\n' });
  const same = await loaded({ badhelo: 'a\n' });
  const other = await loaded({ badhelo: 'b\n' });
  assert.equal(first.configuration.generation, same.configuration.generation);
  assert.notEqual(first.configuration.generation, other.configuration.generation);
});

test('morercpthosts.cdb and simcontrol.cdb win over their texts, with a warning when these are newer', async () => {
  await using folder = await controlFolder({ morercpthosts: 'text.example\n' });
  // A cdb of the real tcprules has the keys we need; the values do not matter to morercpthosts.
  const cdb = join(folder.control, 'morercpthosts.cdb');
  const input = '=cdb.example:allow\n';
  assert.equal((await run('tcprules', [cdb, `${cdb}.tmp`], { input })).code, 0);
  await utimes(cdb, new Date(1000), new Date(1000));
  const { configuration, said } = await load(folder.control);
  assert.equal(configuration.site.values.morercpthosts?.find('text.example'), null);
  assert.equal(configuration.site.origin('morercpthosts').place, cdb);
  assert.match(said.join('\n'), /morercpthosts\.cdb: warning: morercpthosts is newer .* run qmail-newmrh/);
});

test('a file that cannot be read is an error, never its default', async () => {
  await using folder = await controlFolder({ badmailfrom: 'a@b\n' });
  const file = join(folder.control, 'badmailfrom');
  await rename(file, `${file}.away`);
  // A link to itself cannot be read by anybody, root included.
  const made = await run('ln', ['-s', 'badmailfrom', file]);
  assert.equal(made.code, 0);
  const { said, errors } = await load(folder.control);
  assert.equal(errors, 1);
  assert.match(said.join('\n'), /^control\/badmailfrom: cannot read it: ELOOP/m);
});

test('where tcp.smtp is looked for', () => {
  assert.deepEqual(tcpRulesPaths('', null), []);
  assert.deepEqual(tcpRulesPaths('', '/c'), ['/c/tcp.smtp.cdb', '/c/tcp.smtp']);
  assert.deepEqual(tcpRulesPaths('/etc/tcp.smtp', '/c'), ['/etc/tcp.smtp.cdb', '/etc/tcp.smtp']);
  assert.deepEqual(tcpRulesPaths('rules.cdb', '/c'), ['/c/rules.cdb']);
});

test('a tcpsmtp that names no file is an error; values in its lines are checked', async () => {
  const missing = await loaded({ tcpsmtp: 'no-such-file\n' });
  assert.match(missing.said.join('\n'), /^control\/no-such-file: tcpsmtp names this file/m);
  const { said } = await loaded({ 'tcp.smtp': ':allow,HARDERRORS="x",DATABYTE="5",DKSIGN="y",ABC="d"\n' });
  assert.deepEqual(said, [
    'control/tcp.smtp:1: harderrors: "x" is not a number from 0 to 10000 (errors)',
    'control/tcp.smtp:1: warning: DATABYTE sets nothing here (did you mean DATABYTES?)',
  ]);
});

test('tcp.smtp read again changes nothing else', async () => {
  await using folder = await controlFolder({ 'tcp.smtp': ':allow\n' });
  const { configuration } = await load(folder.control);
  await writeFile(join(folder.control, 'tcp.smtp'), ':deny\n');
  const complaints = new Complaints();
  const next = withRules(configuration, await loadTcpRules('', folder.control, complaints));
  assert.equal(next.site, configuration.site);
  assert.equal(next.forClient({ ip: '192.0.2.1', host: null, info: null }).action, 'deny');
});

test('files of 100,000 lines load and are looked up without a noticeable wait', async () => {
  const lines = (make: (n: number) => string) =>
    Array.from({ length: 100_000 }, (_, n) => make(n)).join('\n');
  const { configuration, said } = await loaded({
    badmailfrom: lines(n => `user${n}@spam${n}.example`),
    rcpthosts: lines(n => `domain${n}.example`),
    'tcp.smtp': lines(n => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:allow,MAXRCPT="${n}"`),
  });
  assert.deepEqual(said, []);
  assert.ok(configuration.site.values.rcpthosts?.find('domain99999.example'));
  const { effective } = configuration.forClient({ ip: '10.1.134.159', host: null, info: null });
  assert.equal(effective.values.maxrcpt, 99_999);
});

test('the rule file: the shipped one, a site’s own in its place, under either name', async () => {
  const place = (loaded: Loaded) => loaded.configuration.site.origin('quarantineevents').place;
  const rule = (name: string) => `${name}\tSIZE=-1\ttext\n`;
  const shipped = await load(null);
  assert.equal(place(shipped), join(ROOT, 'quarantine-events.txt'));
  await using folder = await controlFolder({});
  const without = await load(folder.control);
  assert.deepEqual([place(without), without.said], [join(ROOT, 'quarantine-events.txt'), []]);
  await folder.write('quarantine-attachments.txt', rule('.old'));
  const old = await load(folder.control);
  assert.equal(place(old), join(folder.control, 'quarantine-attachments.txt'));
  assert.deepEqual([old.configuration.site.values.quarantineevents.size, old.said], [1, []]);
  await folder.write('quarantine-events.txt', rule('.new') + 'broken\n');
  const both = await load(folder.control);
  assert.equal(both.configuration.site.values.quarantineevents.rules[0]?.pattern, '.new');
  assert.equal(both.errors, 0);
  assert.deepEqual(both.said, [
    'control/quarantine-events.txt:2: warning: wanted NAME or EXPRESSION, TAB, SIZE=… or Policy-HEADER:, TAB, description; this line is ignored',
    'control/quarantine-attachments.txt: warning: is not read, since quarantine-events.txt is there',
  ]);
  assert.notEqual(both.configuration.generation, old.configuration.generation);
});

test('ssattach is for everybody, until simcontrol says something else', async () => {
  await using folder = await controlFolder({ ssattach: '.EXE\n.com:.pif\n' });
  const alone = await load(folder.control);
  assert.deepEqual(alone.configuration.site.values.attach.patterns, ['.exe', '.com']);
  assert.deepEqual(alone.said, [
    'control/ssattach:2: warning: only ".com" counts, and ".pif" is lost: simscan takes one pattern a line',
  ]);
  await folder.write('simcontrol', 'example.com:attach=.mp3\nexample.org:clam=on,spam=maybe\n');
  const { configuration, said, errors } = await load(folder.control);
  const list = (recipient: string) =>
    configuration.forRecipient(configuration.site, address(recipient)).values.attach.patterns;
  assert.deepEqual(list('a@example.com'), ['.mp3']);
  assert.deepEqual(list('a@example.org'), ['.exe', '.com']);
  assert.equal(errors, 2);
  assert.deepEqual(said.slice(1), [
    'control/simcontrol:2: clam: "on" is neither yes nor no, so that simscan leaves the setting as it was',
    'control/simcontrol:2: spam: "maybe" is neither yes nor no, so that simscan leaves the setting as it was',
    'control/ssattach: warning: holds wherever simcontrol says no attach=; a simscan that reads simcontrol does not read this file',
  ]);
});

test('the old handbook’s simcontrol, indented as it is printed', async () => {
  await using folder = await controlFolder({
    simcontrol:
      '  postmaster@example.com:clam=yes,spam=no,attach=.txt:.com\n  example.com:clam=no,spam=yes,attach=.mp3\n  :clam=yes,spam=yes,trophie=yes,spam_hits=20.1\n',
  });
  const { configuration, said, errors } = await load(folder.control);
  assert.equal(errors, 0);
  assert.deepEqual(said, [
    'control/simcontrol:3: warning: an indented default line, which makes simscanmk crash; read as the default',
    'control/simcontrol:1: warning: clam=yes does nothing: `clamd` does not say where clamd listens',
    'control/simcontrol:2: warning: spam=yes does nothing: neither `spamd` nor `rspamd` says who scores',
    'control/simcontrol:3: warning: trophie=yes does nothing: the Trophie scanner no longer exists; clam=yes is what remains',
  ]);
  const { values } = configuration.forRecipient(configuration.site, address('postmaster@example.com'));
  assert.deepEqual(
    [values.clam, values.spam, values.trophie, values.spam_hits, values.attach.patterns],
    [true, false, true, 20.1, ['.txt', '.com']],
  );
});

test('a list of line patterns of the site goes before those of simcontrol', async () => {
  await using folder = await controlFolder({ regex: 'free\n', simcontrol: 'example.com:regex=bank:(?!x)\n' });
  const { configuration, said } = await load(folder.control);
  const { site } = configuration;
  const list = (recipient: string) =>
    configuration
      .forRecipient(site, address(recipient))
      .values.regex.map(one => `#${one.number} ${one.source}`);
  assert.deepEqual(list('a@example.org'), ['#0 free']);
  assert.deepEqual(list('a@example.com'), ['#0 free', '#1 bank', '#2 (?!x)']);
  assert.equal(said.length, 1);
  assert.match(
    said[0] ?? '',
    /^control\/simcontrol:1: warning: regex: the expression \(\?!x\) matches nothing/,
  );
});
