import type { SettingValues } from '../../control/settings.ts';
import { Scanners } from '../scanners.ts';
import { eicar, gtube, messageWithFile, plainMessage } from '../telling-messages.ts';
import type { TestResult } from './status-file.ts';

const scanned = (bytes: Buffer) => ({ size: bytes.length, chunks: () => [bytes] });

/** Shows each scanner what it must recognise: EICAR to the one for viruses, GTUBE to the scoring engine. Never rejects. */
export async function testScanners({ clamd, engine }: Scanners): Promise<readonly TestResult[]> {
  const tests: Promise<TestResult>[] = [];
  if (clamd !== null) {
    const message = messageWithFile('Self-test: EICAR', 'eicar.com', Buffer.from(eicar(), 'latin1'));
    tests.push(
      clamd.scan(scanned(message), new AbortController().signal).then(outcome => {
        const passed = outcome.kind === 'infected';
        const said = { clean: 'does not find EICAR', infected: 'finds EICAR', error: 'gives no answer' };
        const why = outcome.kind === 'error' ? `: ${outcome.fault}, ${outcome.why}` : '';
        return { scanner: 'clamd', passed, detail: said[outcome.kind] + why };
      }),
    );
  }
  if (engine !== null) {
    const message = plainMessage('Self-test: GTUBE', gtube());
    tests.push(
      engine.score(scanned(message), { user: null }).then(outcome => {
        if (outcome.kind === 'scored') {
          const { spam, score, threshold } = outcome;
          const detail = `GTUBE has ${score} of ${threshold}`;
          return { scanner: engine.name, passed: spam, detail };
        }
        const detail =
          outcome.kind === 'error' ? `gives no answer: ${outcome.fault}, ${outcome.why}` : outcome.why;
        return { scanner: engine.name, passed: false, detail };
      }),
    );
  }
  return Promise.all(tests);
}

/** An hour. */
const EVERY_MS = 3_600_000;

/** Tests the scanners of the configuration in force when it is started, and every hour from then on. */
export class ScannerTests {
  readonly #values: () => SettingValues;
  readonly #tell: (results: readonly TestResult[]) => void;
  #timer: NodeJS.Timeout | null = null;
  #running: Scanners | null = null;

  constructor(values: () => SettingValues, tell: (results: readonly TestResult[]) => void) {
    this.#values = values;
    this.#tell = tell;
  }

  /** Tests now; what is under way goes on in its place. */
  start(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = setInterval(() => void this.#test(), EVERY_MS);
    this.#timer.unref();
    void this.#test();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#running?.close();
  }

  async #test(): Promise<void> {
    const values = this.#values();
    if (!values.scannertest || this.#running !== null) return;
    const scanners = new Scanners(values);
    this.#running = scanners;
    try {
      const results = await testScanners(scanners);
      if (results.length > 0) this.#tell(results);
    } finally {
      scanners.close();
      this.#running = null;
    }
  }
}
