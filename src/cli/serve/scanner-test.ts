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

/** An hour; and, while a scanner fails its test, five minutes. Milliseconds. */
const EVERY_MS = 3_600_000;
const AGAIN_MS = 300_000;

/** Tests the scanners of the configuration in force when it is started, and every hour from then on; sooner when one has failed. */
export class ScannerTests {
  readonly #values: () => SettingValues;
  readonly #tell: (results: readonly TestResult[]) => void;
  readonly #everyMs: number;
  readonly #againMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Scanners | null = null;

  /** `tell` gets the results of each test: none where no scanner is set, or none is to be tested. */
  constructor(
    values: () => SettingValues,
    tell: (results: readonly TestResult[]) => void,
    { everyMs = EVERY_MS, againMs = AGAIN_MS } = {},
  ) {
    this.#values = values;
    this.#tell = tell;
    this.#everyMs = everyMs;
    this.#againMs = againMs;
  }

  /** Tests now; a test that is under way is given up, since the configuration may have changed. */
  start(): void {
    this.close();
    void this.#test();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#running?.close();
    this.#running = null;
  }

  async #test(): Promise<void> {
    const values = this.#values();
    const scanners = new Scanners(values);
    this.#running = scanners;
    const results = values.scannertest ? await testScanners(scanners) : [];
    if (this.#running !== scanners) return;
    this.close();
    const failed = results.some(({ passed }) => !passed);
    this.#timer = setTimeout(() => void this.#test(), failed ? this.#againMs : this.#everyMs);
    this.#timer.unref();
    this.#tell(results);
  }
}
