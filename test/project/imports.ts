import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../support/processes.ts';

/** One import, as written in one file. */
export interface Import {
  /** Path from the top of the checkout, `src/smtp/session.ts`. */
  readonly file: string;
  /** A path of the same kind for a relative import; otherwise the specifier as written: `pino`, `node:net`. */
  readonly target: string;
  /** `import type` or `export type`: gone before the program runs. */
  readonly typeOnly: boolean;
}

// A statement begins a line. What stands between the keyword and `from` has no quote and no semicolon.
const STATEMENT = /^[ \t]*(import|export)\s+(type\s+(?!from\b|,))?(?:[^'";]*?\bfrom\s+)?(['"])([^'"\n]+)\3/gm;
// import('./x.ts'), and new URL('./worker.ts', import.meta.url), which is how a worker's file is named.
const DYNAMIC = /\bimport\s*\(\s*(['"])([^'"\n]+)\1|\bnew\s+URL\(\s*(['"])([^'"\n]+\.ts)\3/g;
const COMPUTED = /\bimport\s*\(\s*[^'"\s)]/;

/** Every import of `file`, whose text is `source`. Throws for `import(expression)`, which nobody can check. */
export function importsOf(file: string, source: string): Import[] {
  const code = source.replace(/^\s*(\/\/|\/?\*).*$/gm, '');
  if (COMPUTED.test(code)) throw new Error(`${file}: import() of something computed`);
  const found: Import[] = [];
  for (const [, , type, , specifier = ''] of code.matchAll(STATEMENT)) {
    found.push({ file, target: resolved(file, specifier), typeOnly: type !== undefined });
  }
  for (const [, , imported, , named] of code.matchAll(DYNAMIC)) {
    found.push({ file, target: resolved(file, imported ?? named ?? ''), typeOnly: false });
  }
  return found;
}

/** Every import of every file below src/. */
export function sourceImports(): Import[] {
  const files = globSync('src/**/*.ts', { cwd: ROOT });
  return files.flatMap(file => importsOf(file, readFileSync(join(ROOT, file), 'utf8')));
}

function resolved(file: string, specifier: string): string {
  return specifier.startsWith('.') ? join(dirname(file), specifier) : specifier;
}
