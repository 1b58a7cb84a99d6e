import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/processes.ts';
import { sourceImports } from './imports.ts';

type Versions = Readonly<Record<string, string>>;

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optionalDependencies?: Versions;
}

interface Manifest {
  readonly dependencies: Versions;
  readonly devDependencies: Versions;
  readonly optionalDependencies: Versions;
}

const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const manifest = JSON.parse(read('package.json')) as Manifest;
const lock = JSON.parse(read('package-lock.json')) as { packages: Readonly<Record<string, LockEntry>> };
const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };

test('every version is exact, and the lock file has the same one', () => {
  for (const [name, version] of Object.entries(all)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is not pinned exactly`);
    assert.equal(lock.packages[`node_modules/${name}`]?.version, version, `${name} in package-lock.json`);
  }
});

test('the lock file records no download address, and a hash of every package', () => {
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === '') continue;
    assert.equal(entry.resolved, undefined, path);
    assert.match(entry.integrity ?? '', /^sha512-/, path);
  }
});

// npm leaves an optional package out of the lock file when the registry lacks it, and then its own `npm ci` refuses that
// lock file ("Missing: … from lock file", npm/cli issue 9846): a clean clone would not install.
test('the lock file has every optional package that its packages name', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {})
      .filter(
        name => !(`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages),
      )
      .map(name => `${name}, of ${path}`),
  );
  assert.deepEqual(missing, []);
});

test('what src imports at run time is a dependency, and every dependency is imported', () => {
  const used = new Set(
    sourceImports()
      .map(i => i.target)
      .filter(target => !/^(node:|src\/)/.test(target) && !/\.(ts|mjs)$/.test(target))
      .map(target => target.split('/', target.startsWith('@') ? 2 : 1).join('/')),
  );
  assert.deepEqual([...used].toSorted(), Object.keys(manifest.dependencies).toSorted());
});

test('docs/dependencies.md gives a reason for each, and for no other', () => {
  const lines = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)`(?:, `([^`]+)`)* \|/gm)];
  const named = lines.flatMap(line => [...line[0].matchAll(/`([^`]+)`/g)].map(m => m[1] ?? ''));
  assert.deepEqual(named.toSorted(), Object.keys(all).toSorted());
});
