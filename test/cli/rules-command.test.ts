import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlFolder, postern } from '../support/gateway.ts';

const FILE = [
  '# rules',
  '.exe\tSIZE=-1\tno programs',
  '.*viagra.*\tPolicy-Subject:\tSpam Viagra',
  'a(?=b)\tPolicy-Subject:\tlook ahead',
  '127.0.0.5   Virus-REMOTEIPADDR:   Blocked IP',
].join('\n');

async function rules(args: readonly string[], file = `${FILE}\n`) {
  await using folder = await controlFolder({ 'quarantine-events.txt': file });
  const done = await postern(['rules', ...args, '--control', folder.control, '--state', folder.state]);
  assert.equal(done.stderr.toString(), '');
  const lines = done.stdout.toString().replaceAll(`${folder.control}/`, '').trimEnd().split('\n');
  return { code: done.code, lines };
}

const WARNINGS = [
  'quarantine-events.txt:4: warning: this expression matches nothing: look-around, (?=…) (?!…) (?<=…) (?<!…), is not available',
  'quarantine-events.txt:5: warning: the columns are not separated by TABs; read as if they were',
];
const COUNT = 'quarantine-events.txt: 3 rules (1 about attachments, 1 Policy, 1 Virus)';
const RULES = [
  'quarantine-events.txt:2: .exe\tSIZE=-1\tno programs',
  'quarantine-events.txt:3: .*viagra.*\tPolicy-Subject:\tSpam Viagra',
  'quarantine-events.txt:5: 127.0.0.5\tVirus-REMOTEIPADDR:\tBlocked IP',
];

test('-g checks and counts, and is content with a file that has faults', async () => {
  assert.deepEqual(await rules(['-g']), { code: 0, lines: [...WARNINGS, COUNT] });
  assert.deepEqual(await rules([]), { code: 0, lines: [...WARNINGS, COUNT] });
});

test('-r prints the rules in force', async () => {
  assert.deepEqual(await rules(['-r']), { code: 0, lines: [...WARNINGS, ...RULES] });
  assert.deepEqual(await rules(['-g', '-r']), { code: 0, lines: [...WARNINGS, ...RULES, COUNT] });
});

test('other faults of a configuration do not matter here', async () => {
  await using folder = await controlFolder({ databytes: 'x\n', smtproutes: 'a:b:c:d\n' });
  const done = await postern(['rules', '-g', '--control', folder.control]);
  assert.equal(done.code, 0);
  assert.match(done.stdout.toString(), /^[^\n]*quarantine-events\.txt: [0-9]+ rules \([^\n]*\)\n$/);
});

test('one rule, no rule', async () => {
  const one = await rules(['-g'], '.exe\tSIZE=-1\tx\n');
  assert.deepEqual(one.lines, ['quarantine-events.txt: 1 rule (1 about attachments, 0 Policy, 0 Virus)']);
  const none = await rules(['-g'], '# nothing\n');
  assert.deepEqual(none.lines, ['quarantine-events.txt: 0 rules (0 about attachments, 0 Policy, 0 Virus)']);
});
