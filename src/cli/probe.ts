import { isUtf8 } from 'node:buffer';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { Complaints } from '../control/complaints.ts';
import type { TcpRules } from '../control/tcprules.ts';
import { parseTcpRules, tcpRulesFromCdb } from '../control/tcprules.ts';
import { auth } from './probe-auth.ts';
import { dmarc } from './probe-dmarc.ts';
import { arc, arcSeal } from './probe-arc.ts';
import { dkim, domainkeys } from './probe-dkim.ts';
import { parse } from './probe-parse.ts';
import { scannerOps } from './probe-scan.ts';
import { spf } from './probe-spf.ts';
import type { PlaceOptions } from './places.ts';

type Json = Readonly<Record<string, unknown>>;
type Op = (request: Json) => Json | Promise<Json>;

type Ops = Readonly<Record<string, Op>>;

const OPS: Ops = {
  tcprules,
  parse,
  spf,
  dmarc,
  dkim,
  domainkeys,
  arc,
  'arc-seal': arcSeal,
  auth,
};

/**
 * `postern probe`: one JSON request a line in, one JSON answer a line out, through the modules that the gateway itself
 * uses. Never ends on bad input: what cannot be read is answered with an error. `options` say whose settings are in
 * force where a request leaves something open: the scanners.
 */
export async function probe(input: Readable, output: Writable, options: PlaceOptions = {}): Promise<void> {
  const ops: Ops = { ...OPS, ...scannerOps(options) };
  const working = new Set<Promise<void>>();
  for await (const line of createInterface({ input })) {
    if (line.trim() === '') continue;
    const work = answer(line, ops).then(text => {
      output.write(`${text}\n`);
    });
    working.add(work);
    void work.finally(() => working.delete(work));
  }
  await Promise.all(working);
}

async function answer(line: string, ops: Ops): Promise<string> {
  let id: unknown = null;
  try {
    const request: unknown = JSON.parse(line);
    if (typeof request !== 'object' || request === null)
      return JSON.stringify({ id, error: 'not an object' });
    const { op, ...rest } = request as Json;
    id = rest['id'] ?? null;
    const run = typeof op === 'string' && Object.hasOwn(ops, op) ? ops[op] : undefined;
    return JSON.stringify({ id, ...(run === undefined ? { error: 'unsupported' } : await run(rest)) });
  } catch (error) {
    return JSON.stringify({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

/** Which rule of a tcp.smtp applies to TCPREMOTEIP, TCPREMOTEHOST, TCPREMOTEINFO, as tcprulescheck says it. */
function tcprules({ rules, cdb, env }: Json): Json {
  const complaints = new Complaints();
  let parsed: TcpRules;
  if (typeof cdb === 'string')
    parsed = tcpRulesFromCdb(Buffer.from(cdb, 'base64'), 'tcp.smtp.cdb', complaints);
  else if (typeof rules === 'string') parsed = parseTcpRules(byteString(rules), 'tcp.smtp', complaints);
  else return { error: 'rules or cdb is missing' };
  const fault = complaints.list.find(complaint => complaint.severity === 'error');
  if (fault) return { error: fault.text };
  const environment = Object.fromEntries(
    Object.entries(typeof env === 'object' && env !== null ? env : {}).map(([name, value]) => [
      name,
      byteString(String(value)),
    ]),
  );
  const rule = parsed.find({
    ip: environment['TCPREMOTEIP'] ?? '0.0.0.0',
    host: environment['TCPREMOTEHOST'] ?? null,
    info: environment['TCPREMOTEINFO'] ?? null,
  });
  if (rule === null) return { action: 'allow', vars: {}, rule: null };
  const vars = [...rule.variables].map(([name, value]) => [jsonText(name), jsonText(value)] as const);
  return { action: rule.action, vars: Object.fromEntries(vars), rule: jsonText(rule.key) };
}

function byteString(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** The other way round; bytes that are no UTF-8 are shown as Latin-1. */
function jsonText(bytes: string): string {
  const raw = Buffer.from(bytes, 'latin1');
  return isUtf8(raw) ? raw.toString() : bytes;
}
