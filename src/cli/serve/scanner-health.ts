import type { VerdictRecord } from '../../model/record.ts';
import type { ScannerState } from '../../model/scan.ts';
import type { WorkerScanner } from './status-file.ts';

/** The plugin that asks a scanner. */
const ASKED_BY: Readonly<Record<string, string>> = { clamd: 'clam', spamd: 'spam', rspamd: 'spam' };

type Tell = (event: 'scanner-down' | 'scanner-up', fields: Readonly<Record<string, string | number>>) => void;

/** Looks after the scanners of a worker: what changes goes to the log, and what passes without them is counted. */
export class ScannerHealth {
  readonly #state: () => readonly ScannerState[];
  readonly #tell: Tell;
  /** Messages accepted without a plugin's word, since it had one last. */
  readonly #unscanned = new Map<string, { count: number; since: number }>();
  #told = '[]';
  #before = new Map<string, ScannerState['breaker']>();

  constructor(state: () => readonly ScannerState[], tell: Tell) {
    this.#state = state;
    this.#tell = tell;
  }

  /** An event was recorded. */
  saw(record: VerdictRecord): void {
    if (record.event !== 'message-accepted') return;
    for (const { plugin, state } of record.findings) {
      if (plugin !== 'clam' && plugin !== 'spam') continue;
      if (state === 'pass') this.#unscanned.delete(plugin);
      if (state !== 'error') continue;
      const { count, since } = this.#unscanned.get(plugin) ?? { count: 0, since: record.time };
      this.#unscanned.set(plugin, { count: count + 1, since });
    }
  }

  /** How all of them do, when that has changed since the last time; null: it has not. */
  changed(): readonly WorkerScanner[] | null {
    const scanners = this.#state().map(state => ({
      ...state,
      unscanned: this.#unscanned.get(ASKED_BY[state.scanner] ?? '') ?? null,
    }));
    const text = JSON.stringify(scanners);
    if (text === this.#told) return null;
    this.#told = text;
    for (const scanner of scanners) this.#log(scanner);
    return scanners;
  }

  #log({ scanner, address, breaker, lastFault, unscanned }: WorkerScanner): void {
    const key = `${scanner} ${address}`;
    const before = this.#before.get(key) ?? 'closed';
    this.#before.set(key, breaker);
    const about = { scanner, address };
    if (breaker === 'open' && before === 'closed')
      this.#tell('scanner-down', { ...about, fault: lastFault?.fault ?? '', text: lastFault?.why ?? '' });
    if (breaker === 'closed' && before !== 'closed')
      this.#tell('scanner-up', { ...about, unscanned: unscanned?.count ?? 0 });
  }
}
