import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Zone } from '../support/dns-server.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { fail, pass } from './outcome.ts';
import type { Outcome, Suite } from './outcome.ts';
import { probe } from './probe.ts';
import type { Answer } from './probe.ts';

type Want = 'pass' | 'notpass';

interface Case {
  readonly id: string;
  /** Beside the list. */
  readonly file: string;
  readonly kind: 'dkim' | 'domainkeys';
  /** Where there is none, `zoneFile` names it. */
  readonly zone?: Zone;
  readonly zoneFile?: string;
  /** The verifier's clock; null: any. */
  readonly now: number | null;
  /** Whether some signature passes. */
  readonly want: Want;
  /** The same under RFC 8301, by which we go. */
  readonly modern?: Want;
  /** Each signature, from the top. */
  readonly sigs?:
    | readonly { readonly domain: string; readonly selector: string; readonly state: Want | 'temperror' }[]
    | null;
}

interface Signature {
  readonly result: string;
  readonly domain: string;
  readonly selector: string;
}

/** Every case through `postern probe`, each with a DNS server of its own that knows its zone and nothing else. */
export const dkim: Suite = {
  file: 'dkim/cases.json',
  async run(content, wanted, folder) {
    const cases = (content as readonly Case[]).filter(one => wanted(one.id));
    const zones = await Promise.all(cases.map(one => zoneOf(one, folder)));
    const servers = await Promise.all(zones.map(zone => startDnsServer(zone)));
    try {
      const requests = cases.map(async ({ file, kind, now }, id) => ({
        id,
        op: kind,
        message: await readFile(join(folder, 'dkim', file), 'base64'),
        dns: servers[id]?.address ?? '',
        ...(now === null ? {} : { now }),
      }));
      const answers = await probe(await Promise.all(requests));
      return cases.map((one, id) => judge(one, answers.get(id)));
    } finally {
      await Promise.all(servers.map(server => server.close()));
    }
  },
};

async function zoneOf({ zone, zoneFile }: Case, folder: string): Promise<Zone> {
  if (zone !== undefined) return zone;
  if (zoneFile === undefined) return {};
  return JSON.parse(await readFile(join(folder, 'dkim', zoneFile), 'utf8')) as Zone;
}

function judge({ id, want, modern, sigs }: Case, answer: Answer | undefined): Outcome {
  if (answer === undefined) return fail(id, 'answer', 'one', 'none');
  const { signatures } = answer;
  if (!Array.isArray(signatures)) return fail(id, 'signatures', 'a list', answer);
  const found = signatures as readonly Signature[];
  const verdict = found.some(({ result }) => result === 'pass') ? 'pass' : 'notpass';
  if (verdict !== (modern ?? want)) return fail(id, 'verdict', modern ?? want, answer);
  for (const [i, { domain, selector, state }] of (sigs ?? []).entries()) {
    const came = found[i];
    // Names that the recorder could not read are empty with him.
    const named = domain === '' || (came?.domain === domain && came.selector === selector);
    if (came === undefined || !named || !agrees(came.result, state))
      return fail(id, `signature ${i + 1}`, { domain, selector, state }, answer);
  }
  return pass(id);
}

/** `policy` is a signature that verifies, with something about it that we do not accept (RFC 8601 2.7.1): an `l=`. */
function agrees(result: string, state: Want | 'temperror'): boolean {
  if (state === 'pass') return result === 'pass' || result === 'policy';
  return state === 'temperror' ? result === 'temperror' : result !== 'pass';
}
