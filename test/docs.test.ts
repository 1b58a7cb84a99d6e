import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { commands } from '../src/cli/commands.ts';
import { docPages } from '../src/cli/docs.ts';
import { parseActions } from '../src/control/actions.ts';
import { Complaints } from '../src/control/complaints.ts';
import { QMAIL_FILES } from '../src/control/qmail-files.ts';
import { SETTING_NAMES, SETTINGS, settingNamed } from '../src/control/settings.ts';
import { EVENTS } from '../src/model/record.ts';
import { STAGE_DOC, STAGES } from '../src/model/stage.ts';
import type { AnyPlugin } from '../src/pipeline/run-stage.ts';
import { OWN_RULES, PLUGINS, ruleNames } from '../src/plugins/list.ts';
import { ROOT } from './support/processes.ts';

const shippedActions = async () => {
  const complaints = new Complaints();
  const actions = parseActions(
    await readFile(join(ROOT, 'rules/actions'), 'latin1'),
    'rules/actions',
    complaints,
  );
  assert.deepEqual(complaints.list, []);
  return actions;
};

test('the printed pages are those of the code', async () => {
  for (const [path, text] of docPages(commands())) {
    assert.equal(await readFile(join(ROOT, path), 'utf8'), text, `${path} is not up to date: npm run docs`);
  }
});

test('every rule of every plugin has a line in rules/actions, and no line names another', async () => {
  const { rules, errors } = await shippedActions();
  assert.deepEqual([...rules.keys()].toSorted(), [...ruleNames(PLUGINS)].toSorted());
  const plugins = new Set<string>(PLUGINS.map(plugin => plugin.name));
  for (const plugin of errors.keys()) assert.ok(plugins.has(plugin), plugin);
});

test('a rule that refuses has a reply of its own in the shipped actions', async () => {
  for (const [rule, { action }] of (await shippedActions()).rules) {
    if (action.kind === 'reject' || action.kind === 'defer') assert.ok(action.reply, rule);
  }
});

test('rule names belong to one plugin, and are none of the gateway’s own', () => {
  const seen = new Map<string, string>();
  for (const plugin of PLUGINS) {
    for (const rule of Object.keys(plugin.rules)) {
      assert.equal(seen.get(rule), undefined, `${rule} of ${plugin.name}`);
      assert.ok(!Object.hasOwn(OWN_RULES, rule), rule);
      assert.match(rule, /^[A-Z][A-Z0-9_]*$/);
      seen.set(rule, plugin.name);
    }
  }
});

test('everything that has a name has a line of description', () => {
  for (const name of SETTING_NAMES) {
    const { doc, usedBy, kind } = SETTINGS[name];
    for (const text of [doc, usedBy, kind.syntax]) assert.ok(text.length > 2, name);
    assert.match(doc, /[.?]$/, name);
  }
  for (const listed of PLUGINS) {
    const plugin = listed as unknown as AnyPlugin;
    assert.match(plugin.doc, /\.$/, plugin.name);
    for (const [rule, info] of Object.entries(plugin.rules)) assert.match(info.doc, /\.$/, rule);
    for (const name of plugin.settings) assert.ok(settingNamed(name), name);
  }
  for (const doc of [...Object.values(EVENTS), ...STAGES.map(stage => STAGE_DOC[stage])])
    assert.ok(doc.length > 10);
});

test('settings and variables have one meaning each', () => {
  const files = SETTING_NAMES.flatMap(name => [name, ...(SETTINGS[name].alsoFiles ?? [])]);
  const variables = SETTING_NAMES.flatMap(name => [...SETTINGS[name].variables]);
  for (const list of [files, variables]) {
    assert.deepEqual(
      list.filter((name, i) => list.indexOf(name) !== i),
      [],
    );
  }
  for (const name of files) assert.ok(!QMAIL_FILES.has(name), `${name} is a file that we read`);
  for (const name of SETTING_NAMES) {
    const { variables: own, layers } = SETTINGS[name];
    assert.equal(
      own.length > 0,
      layers.includes('client'),
      `${name}: a variable, and the layer that reads it`,
    );
    if (layers.includes('client') || layers.includes('recipient')) {
      assert.ok(settingNamed(name)?.kind.value, `${name} can be written as NAME=value`);
    }
  }
});

test('every plugin’s own rules are documented on the rules page, every setting on the settings page', async () => {
  const rules = await readFile(join(ROOT, 'docs/rules.md'), 'utf8');
  for (const rule of [...ruleNames(PLUGINS), ...Object.keys(OWN_RULES)])
    assert.ok(rules.includes(`\`${rule}\``), rule);
  const settings = await readFile(join(ROOT, 'docs/settings.md'), 'utf8');
  for (const name of SETTING_NAMES) assert.ok(settings.includes(`\`${name}\``), name);
});

test('postern-queue is told of no variable twice', async () => {
  const names = Array.from(
    (await readFile(join(ROOT, 'native/environment.h'), 'latin1')).matchAll(/^ {2}"(\w+)",$/gm),
    ([, name]) => name,
  );
  assert.equal(new Set(names).size, names.length);
});
