import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf, sourceImports } from './project/imports.ts';
import type { Import } from './project/imports.ts';

/** What a folder of src/ may import besides its own files; ARCHITECTURE.md says the same in words. */
interface Room {
  readonly from: readonly string[];
  /** Only by `import type`. */
  readonly types?: readonly string[];
  /** Pure: no file, socket or process of Node's, no package either. */
  readonly pure?: boolean;
}

const ROOMS: Readonly<Record<string, Room>> = {
  model: { from: [], pure: true },
  control: { from: ['model'] },
  mail: { from: ['model'] },
  dns: { from: ['model'] },
  store: { from: ['model'] },
  auth: { from: ['model', 'mail', 'dns'] },
  scanners: { from: ['model'] },
  plugins: { from: ['model', 'mail', 'dns'], types: ['control'] },
  policy: { from: ['model'], pure: true },
  pipeline: { from: ['model', 'policy', 'mail'], types: ['control'] },
  relay: { from: ['model', 'mail'], types: ['control'] },
  quarantine: { from: ['model', 'mail', 'store', 'pipeline'] },
  journal: { from: ['model', 'store'] },
  smtp: { from: ['model', 'mail', 'pipeline'], types: ['control'] },
  qmail: { from: ['model', 'mail', 'pipeline'], types: ['control'] },
};

/** These wire everything together, and nobody imports them. */
const ENTRIES: readonly string[] = ['cli', 'web'];

/** Kept as oracles and peers for the tests; the product must not need them. */
const TEST_ONLY: readonly string[] = [
  'smtp-server',
  'dns-packet',
  'dnsbl',
  'clamscan',
  'spamc',
  'fast-check',
  'mailparser',
  'postal-mime',
  '@zone-eu/mailsplit',
  'yauzl',
];

/** What is wrong with these imports, one line each. */
function complaints(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, target, typeOnly }) => {
    const wrong = forbidden(file, target, typeOnly);
    return wrong === null ? [] : [`${file} imports ${target}: ${wrong}`];
  });
}

function forbidden(file: string, target: string, typeOnly: boolean): string | null {
  const room = roomOf(file);
  const rules = ENTRIES.includes(room) ? null : ROOMS[room];
  if (rules === undefined) return `${room} is no folder of the table`;
  if (!target.startsWith('src/')) {
    if (target.endsWith('.ts') || target.endsWith('.mjs')) return 'the product imports nothing outside src/';
    if (TEST_ONLY.includes(packageOf(target))) return 'it is there for the tests';
    return rules?.pure === true ? `${room} is pure` : null;
  }
  const to = roomOf(target);
  if (to === room || rules === null) return null;
  if (rules.from.includes(to)) return null;
  if (rules.types?.includes(to) === true) return typeOnly ? null : `only by import type`;
  return `${room} may not import ${to}`;
}

function roomOf(file: string): string {
  const [, room = '', ...rest] = file.split('/');
  return rest.length > 0 ? room : '(top of src)';
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** One circle of files that need each other to load, as a path back to its start; null when there is none. */
function circle(imports: readonly Import[]): string[] | null {
  const next = Map.groupBy(
    imports.filter(i => !i.typeOnly && i.target.startsWith('src/')),
    i => i.file,
  );
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const { target } of next.get(file) ?? []) {
      const found = visit(target, [...path, file]);
      if (found !== null) return found;
    }
    done.add(file);
    return null;
  };
  for (const file of next.keys()) {
    const found = visit(file, []);
    if (found !== null) return found;
  }
  return null;
}

test('imports go one way', () => {
  assert.deepEqual(complaints(sourceImports()), []);
});

test('no files import each other in a circle', () => {
  assert.equal(circle(sourceImports()), null);
});

test('the imports of a file are found in every form', () => {
  const source = [
    "import { a } from './a.ts';",
    'import type {',
    '  B,',
    "} from '../model/b.ts';",
    "import 'pino';",
    "export * from './c.ts';",
    "export type { D } from './d.ts';",
    "const e = await import('./e.ts');",
    "new Worker(new URL('./f.ts', import.meta.url));",
    "import { type G } from './g.ts';",
    "new URL('../../rules', import.meta.url);",
    "// import { x } from './x.ts';",
    "const text = 'nothing from here';",
  ].join('\n');
  const found = importsOf('src/smtp/x.ts', source).map(i => `${i.target}${i.typeOnly ? ' type' : ''}`);
  assert.deepEqual(found.toSorted(), [
    'pino',
    'src/model/b.ts type',
    'src/smtp/a.ts',
    'src/smtp/c.ts',
    'src/smtp/d.ts type',
    'src/smtp/e.ts',
    'src/smtp/f.ts',
    'src/smtp/g.ts',
  ]);
  assert.throws(() => importsOf('src/cli/x.ts', 'await import(name)'), /computed/);
});

const edge = (file: string, target: string, typeOnly = false): Import => ({ file, target, typeOnly });

test('a wrong import is named', () => {
  const cases: readonly [string, string, boolean, number][] = [
    ['src/model/a.ts', 'src/model/b.ts', false, 0],
    ['src/model/a.ts', 'src/mail/b.ts', true, 1],
    ['src/model/a.ts', 'node:fs', true, 1],
    ['src/policy/a.ts', 'node:fs', false, 1],
    ['src/policy/a.ts', 'src/control/a.ts', true, 1],
    ['src/plugins/a.ts', 'src/control/a.ts', true, 0],
    ['src/plugins/a.ts', 'src/control/a.ts', false, 1],
    ['src/pipeline/a.ts', 'src/smtp/a.ts', false, 1],
    ['src/smtp/a.ts', 'src/pipeline/a.ts', false, 0],
    ['src/smtp/a.ts', 'src/cli/a.ts', true, 1],
    ['src/smtp/a.ts', 'smtp-server/lib/sasl.js', false, 1],
    ['src/cli/a.ts', 'smtp-server', false, 1],
    ['src/cli/a.ts', 'src/smtp/a.ts', false, 0],
    ['src/cli/a.ts', 'test/support/peers.ts', false, 1],
    ['src/utilities/a.ts', 'src/model/a.ts', false, 1],
    ['src/a.ts', 'src/model/a.ts', false, 1],
  ];
  for (const [file, target, typeOnly, count] of cases)
    assert.equal(complaints([edge(file, target, typeOnly)]).length, count, `${file} ${target}`);
  const round = [
    edge('src/a/1.ts', 'src/a/2.ts'),
    edge('src/a/2.ts', 'src/a/3.ts'),
    edge('src/a/3.ts', 'src/a/2.ts'),
  ];
  assert.deepEqual(circle(round), ['src/a/2.ts', 'src/a/3.ts', 'src/a/2.ts']);
  assert.equal(circle([edge('src/a/1.ts', 'src/a/2.ts'), edge('src/a/2.ts', 'src/a/1.ts', true)]), null);
});
