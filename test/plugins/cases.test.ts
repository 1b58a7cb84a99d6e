import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import type { Dns, DnsAnswer } from '../../src/model/dns.ts';
import type { ScannerFault, SpamOutcome, VirusOutcome } from '../../src/model/scan.ts';
import { PLUGINS } from '../../src/plugins/list.ts';
import { CLIENT, envelope, messageOf, rig, said } from '../pipeline/rig.ts';
import { ROOT } from '../support/processes.ts';
import type { RuleCase } from './case-file.ts';
import { parseCases } from './case-file.ts';
import { changed, published } from './changed-mail.ts';

const FOLDER = join(ROOT, 'test/cases');

/** The cases of each plugin: a file has its plugin's name. */
const CASES = new Map(
  readdirSync(FOLDER)
    .filter(file => file.endsWith('.test'))
    .map(file => [
      file.slice(0, -'.test'.length),
      parseCases(readFileSync(join(FOLDER, file), 'latin1'), `test/cases/${file}`),
    ]),
);

/** Rules that are reported as passed only. */
const NEVER_HIT: readonly string[] = ['RBL_ALLOWED', 'SIGN'];

for (const [plugin, cases] of CASES) {
  describe(plugin, () => {
    for (const one of cases) test(one.name, t => run(t, one));
  });
}

for (const plugin of PLUGINS) {
  for (const rule of Object.keys(plugin.rules).filter(name => !NEVER_HIT.includes(name))) {
    test(`${plugin.name}: a case in which ${rule} hits, and one in which it does not`, () => {
      const cases = CASES.get(plugin.name) ?? [];
      assert.ok(
        cases.some(one => one.expect.includes(rule)),
        `test/cases/${plugin.name}.test expects it nowhere`,
      );
      assert.ok(
        cases.some(one => !one.expect.includes(rule)),
        `test/cases/${plugin.name}.test expects it everywhere`,
      );
    });
  }
}

test('every case file is a plugin’s', () => {
  const names: readonly string[] = PLUGINS.map(plugin => plugin.name);
  assert.deepEqual(
    [...CASES.keys()].filter(name => !names.includes(name)),
    [],
  );
});

/** Sends the mail of a case and compares what hit. */
async function run(t: TestContext, one: RuleCase): Promise<void> {
  const dns = dnsOf(one);
  let scans = 0;
  const { gateway, records } = await rig(t, {
    // As shipped; most rigs go without.
    control: { spfbehavior: '3', ...one.control },
    dns,
    plugins: PLUGINS,
    // The message comes first.
    virus: () => Promise.resolve(virusOf(scans++ === 0 ? one.virus : one.filevirus)),
    score: (_message, { user }) => Promise.resolve(scoreOf(one.score, user)),
    parts: { edge: one.edge, handsBack: one.edge === 'qmail' },
  });
  const conversation = gateway.open({ ...CLIENT, ip: one.client });
  t.after(() => conversation.close());
  await conversation.connect(one.early);
  if (one.helo !== null) await conversation.helo({ verb: 'EHLO', name: one.helo }, null);
  const answers = await envelope(conversation, one.recipients, one.from);
  let answer = answers.at(-1) ?? '';
  if (conversation.transaction !== null && conversation.transaction.accepted > 0) {
    const refused = await conversation.data();
    const text = await changed(one.message, one.changes, dns);
    answer = said(refused ?? (await conversation.message(await messageOf(text))));
  }
  const hits = records.flatMap(record =>
    record.findings.filter(f => f.state === 'hit' || f.state === 'error').map(f => f.rule),
  );
  assert.deepEqual([...new Set(hits)].toSorted(), [...one.expect].toSorted(), one.place);
  if (one.says !== null) assert.equal(answer.slice(0, one.says.length), one.says, one.place);
}

function virusOf(said: string): VirusOutcome {
  const [word = '', fault = ''] = said.split(' ');
  if (word === 'error') return { kind: 'error', fault: fault as ScannerFault, why: 'as the case wants it' };
  return word === 'clean'
    ? { kind: 'clean', scanner: 'clamd' }
    : { kind: 'infected', name: said, scanner: 'clamd' };
}

/** `joe:` in front: what it says to the user joe; everybody else is fine then. */
function scoreOf(text: string, user: string | null): SpamOutcome {
  const [, whose, said = ''] = /^(?:([^ :]+): )?(.*)$/.exec(text) ?? [];
  const [points = '', threshold = '', rules = ''] = (
    whose === undefined || whose === user ? said : '0 5 FINE'
  ).split(' ');
  if (points === 'error')
    return { kind: 'error', fault: threshold as ScannerFault, why: 'as the case wants it' };
  const score = Number(points);
  const spam = score >= Number(threshold);
  return {
    kind: 'scored',
    spam,
    marked: spam || rules.includes('MARKED'),
    score,
    threshold: Number(threshold),
    rules: rules.split(','),
    scanner: 'spamd',
  };
}

function dnsOf({ dns }: RuleCase): Pick<Dns, 'a' | 'txt'> {
  const find = (name: string, type: string): DnsAnswer<string> => {
    const found = dns.get(`${name} ${type}`);
    if (found === undefined) return { kind: 'none', nxdomain: true };
    return found === 'fails' ? { kind: 'error', error: 'SERVFAIL' } : { kind: 'found', records: found };
  };
  return {
    a: name => Promise.resolve(find(name, 'A')),
    txt: name => {
      const found = find(name, 'TXT');
      return Promise.resolve(
        found.kind === 'found'
          ? { kind: 'found', records: found.records.map(text => [published(text)]) }
          : found,
      );
    },
  };
}
