import { run } from './processes.ts';

/** One result of an Authentication-Results field as authres reads it. */
export interface ReadResult {
  readonly method: string;
  readonly result: string;
  /** `header.d` and the like, with their values. */
  readonly properties: Readonly<Record<string, string>>;
}

const SCRIPT = `
import authres, json, sys
for line in sys.stdin:
    field = authres.AuthenticationResultsHeader.parse(json.loads(line))
    print(json.dumps({"id": field.authserv_id, "results": [
        {"method": one.method, "result": one.result,
         "properties": {p.type + "." + p.name: p.value for p in one.properties}} for one in field.results]}))
`;

/** Reads Authentication-Results fields, name and all, with authres (Debian’s python3-authres). Rejects where one is malformed. */
export async function readAuthenticationResults(
  fields: readonly string[],
): Promise<readonly { readonly id: string; readonly results: readonly ReadResult[] }[]> {
  const input = fields.map(field => `${JSON.stringify(field)}\n`).join('');
  const done = await run('/usr/bin/python3', ['-c', SCRIPT], { input });
  if (done.code !== 0) throw new Error(`authres: ${done.stderr.toString()}`);
  return done.stdout
    .toString()
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as { readonly id: string; readonly results: readonly ReadResult[] });
}
