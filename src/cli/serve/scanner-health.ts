import type { VerdictRecord } from '../../model/record.ts';
import type { ScannerState } from '../../model/scan.ts';
import type { WorkerScanner } from './status-file.ts';

/** The plugin that asks a scanner. */
const ASKED_BY: Readonly<Record<string, string>> = { clamd: 'clam', spamd: 'spam', rspamd: 'spam' };

type Tell = (event: 'scanner-down' | 'scanner-up', fields: Readonly<Record<string, string | number>>) => void;

interface Unscanned {
  count: number;
  readonly since: number;
  /** It has had its word again; told once more when the scanner is up. */
  over: boolean;
}

/** Looks after the scanners of a worker: what changes goes to the log, and what passes without them is counted. */
export class ScannerHealth {
  readonly #state: () => readonly ScannerState[];
  readonly #tell: Tell;
  /** Messages that somebody got without a plugin's word, since it had one last. */
  readonly #unscanned = new Map<string, Unscanned>();
  #told = '[]';
  #before = new Map<string, ScannerState['breaker']>();

  constructor(state: () => readonly ScannerState[], tell: Tell) {
    this.#state = state;
    this.#tell = tell;
  }

  /** An event was recorded. */
  saw(record: VerdictRecord): void {
    for (const { plugin, state, recipients } of record.findings) {
      if (plugin !== 'clam' && plugin !== 'spam') continue;
      const before = this.#unscanned.get(plugin);
      if (state === 'pass' && before !== undefined) before.over = true;
      if (state !== 'error' || !passed(record, recipients)) continue;
      if (before?.over === false) before.count++;
      else this.#unscanned.set(plugin, { count: 1, since: record.time, over: false });
    }
  }

  /** How all of them do, when that has changed since the last time; null: it has not. */
  changed(): readonly WorkerScanner[] | null {
    const scanners = this.#state().map(state => ({ ...state, unscanned: this.#unscannedBy(state) }));
    const text = JSON.stringify(scanners);
    const changed = text !== this.#told;
    this.#told = text;
    if (changed) for (const scanner of scanners) this.#log(scanner);
    for (const [plugin, { over }] of this.#unscanned) if (over) this.#unscanned.delete(plugin);
    return changed ? scanners : null;
  }

  #unscannedBy({ scanner }: Pick<ScannerState, 'scanner'>): WorkerScanner['unscanned'] {
    const found = this.#unscanned.get(ASKED_BY[scanner] ?? '');
    return found === undefined || found.over ? null : { count: found.count, since: found.since };
  }

  #log({ scanner, address, breaker, lastFault }: WorkerScanner): void {
    const key = `${scanner} ${address}`;
    const before = this.#before.get(key) ?? 'closed';
    this.#before.set(key, breaker);
    const about = { scanner, address };
    if (breaker === 'open' && before === 'closed')
      this.#tell('scanner-down', { ...about, fault: lastFault?.fault ?? '', text: lastFault?.why ?? '' });
    if (breaker === 'closed' && before !== 'closed')
      this.#tell('scanner-up', {
        ...about,
        unscanned: this.#unscanned.get(ASKED_BY[scanner] ?? '')?.count ?? 0,
      });
  }
}

/** Whether somebody whom a finding is about has got the message. */
function passed({ recipients }: VerdictRecord, about: readonly string[] | undefined): boolean {
  return recipients.some(
    ({ address, outcome }) => outcome === 'delivered' && (about === undefined || about.includes(address)),
  );
}
