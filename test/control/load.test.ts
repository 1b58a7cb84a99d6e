import assert from 'node:assert/strict';
import { rename, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Complaints } from '../../src/control/complaints.ts';
import type { Configuration } from '../../src/control/configuration.ts';
import { loadConfiguration, loadTcpRules, tcpRulesPaths, withRules } from '../../src/control/load.ts';
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
  const unknown = /no plugin reports this rule/;
  // The shipped actions name rules that this test does not know.
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
