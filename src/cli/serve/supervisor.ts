import cluster from 'node:cluster';
import type { Worker } from 'node:cluster';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Configuration } from '../../control/configuration.ts';
import type { SettingValues } from '../../control/settings.ts';
import { JournalWriter } from '../../journal/writer.ts';
import { QuarantineKeeper } from '../../quarantine/keeper.ts';
import type { KeeperSettings } from '../../quarantine/keeper-messages.ts';
import { configure } from '../configure.ts';
import type { Log } from '../log.ts';
import { createLog } from '../log.ts';
import type { PlaceOptions, Places } from '../places.ts';
import { places, quarantineFolder, queueSocket, storeFile } from '../places.ts';
import { ConnectionArbiter } from './connection-arbiter.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { firstSteps } from './first-steps.ts';
import { clearSocket, ownSocket } from './queue-socket.ts';
import { ScannerTests } from './scanner-test.ts';
import type { Status, WorkerScanner } from './status-file.ts';
import { StatusFile } from './status-file.ts';

/** A worker that dies sooner than this after its start did not get going; milliseconds. */
const INFANCY_MS = 2000;
/** How long to wait before a worker that died young is replaced, milliseconds. */
const RESPAWN_DELAY_MS = 1000;
/** Workers get this much longer than `draintime` before they are killed, milliseconds. */
const KILL_AFTER_MS = 5000;

/**
 * `postern serve`: starts the workers and replaces those that die, keeps the records they send, reloads on SIGHUP (all
 * or nothing) and drains on SIGTERM. Resolves with the exit code when all is over.
 */
export async function supervise(options: PlaceOptions): Promise<number> {
  const where = places(options);
  const configured = await configure(where);
  for (const line of configured.complaints) console.error(line);
  if (configured.configuration === null) {
    console.error(`postern: not started: errors in the configuration: ${configured.errors}`);
    return 100;
  }
  let configuration: Configuration = configured.configuration;
  const log = createLog(configuration.site.values);
  const { values } = configuration.site;
  for (const folder of [where.stateDir, dirname(storeFile(where, values))]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      console.error(
        `postern: cannot make the folder ${folder}: ${error instanceof Error ? error.message : ''}`,
      );
      return 111;
    }
  }
  const socketPath = queueSocket(where, values);
  const inTheWay = socketPath === null ? null : await clearSocket(socketPath);
  if (inTheWay !== null) {
    console.error(`postern: queuesocket: ${inTheWay}`);
    return 111;
  }
  const journal = new JournalWriter({
    file: storeFile(where, values),
    retentionDays: values.retention,
    now: Date.now,
    onProblem: text => log.warn('journal', { text }),
  });
  const keeper = new QuarantineKeeper({
    store: storeFile(where, values),
    settings: keeperSettings(where, values),
    hear: ({ kind, ...told }) =>
      kind === 'problem' ? log.warn('quarantine', told) : log.info('quarantine-expired', told),
  });
  const startedAt = Date.now();
  const status = new StatusFile(where.stateDir, error => log.problem('', error));
  const scannersOf = new Map<number, readonly WorkerScanner[]>();
  let test: Status['test'] = null;
  const count = values.workers === 0 ? availableParallelism() : values.workers;

  return await new Promise<number>(resolve => {
    const started = new Map<number, number>();
    let draining = false;
    let everReady = false;
    let exitCode = 0;

    const workers = (): Worker[] => Object.values(cluster.workers ?? {}).filter(w => w !== undefined);
    const tell = (worker: Worker, message: ToWorker) => {
      if (worker.isConnected()) worker.send(message);
    };
    const arbiter = new ConnectionArbiter(() =>
      workers()
        .filter(worker => worker.isConnected())
        .map(worker => ({
          count: (id: number, key: string, crowded: boolean) =>
            tell(worker, { kind: 'count', id, key, crowded }),
        })),
    );

    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({
      exec: join(dirname(fileURLToPath(import.meta.url)), 'worker.ts'),
      args: [],
      // Batches of records cross here: a fifth of the cost of JSON within JSON.
      serialization: 'advanced',
      // What a message leaves behind is short-lived: fewer and larger rounds of collecting it cost less.
      execArgv: ['--min-semi-space-size=16', '--max-semi-space-size=32'],
    });
    const fork = () => {
      const worker = cluster.fork({
        POSTERN_PLACES: JSON.stringify({
          state: where.stateDir,
          ...(where.controlDir ? { control: where.controlDir } : {}),
        }),
        POSTERN_WORKERS: String(count),
        POSTERN_REPLACEMENT: everReady ? 'yes' : '',
      });
      started.set(worker.id, Date.now());
    };

    /** Until its mode is set nobody else may connect, and it is made anew when all workers have died. */
    const openSocket = (path: string, first: boolean) => {
      const { queuesocketmode, queuesocketowner } = configuration.site.values;
      ownSocket(path, queuesocketmode, queuesocketowner).then(
        () => first && console.log(`Postern is listening for postern-queue on ${path}`),
        (error: unknown) => {
          const text = error instanceof Error ? error.message : String(error);
          log.warn('queue-socket', { text });
          if (first) console.error(`postern: queuesocket: ${text}`);
        },
      );
    };

    const writeStatus = () =>
      status.write({
        pid: process.pid,
        startedAt,
        writtenAt: 0,
        generation: configuration.generation,
        workers: workers().map(({ id, process: { pid } }) => ({
          pid: pid ?? 0,
          scanners: scannersOf.get(id) ?? [],
        })),
        test,
      });
    const tester = new ScannerTests(
      () => configuration.site.values,
      results => {
        test = results.length === 0 ? null : { at: Date.now(), results };
        for (const { scanner, passed, detail } of results)
          if (passed) log.info('scanner-test', { scanner, text: detail });
          else log.warn('scanner-test-failed', { scanner, text: detail });
        writeStatus();
      },
    );

    let finishing = false;
    const finish = async () => {
      if (finishing) return;
      finishing = true;
      tester.close();
      await Promise.all([journal.close(), keeper.close(), status.close()]);
      log.flush();
      resolve(exitCode);
    };

    const drain = (code: number) => {
      if (draining) return;
      draining = true;
      exitCode = code;
      if (workers().length === 0) return void finish();
      for (const worker of workers()) tell(worker, { kind: 'drain' });
      const patience = configuration.site.values.draintime * 1000 + KILL_AFTER_MS;
      setTimeout(() => {
        for (const worker of workers()) worker.process.kill('SIGKILL');
      }, patience).unref();
    };

    cluster.on('message', (worker, message: FromWorker) => {
      switch (message.kind) {
        case 'journal':
          journal.write(message.batch);
          break;
        case 'held':
          keeper.held(message.id);
          break;
        case 'ready':
          if (!everReady) announce(message.addresses, configuration, where.controlDir);
          if (socketPath !== null) openSocket(socketPath, !everReady);
          if (!everReady) tester.start();
          everReady = true;
          writeStatus();
          log.info('worker-ready', {
            worker: worker.process.pid ?? 0,
            listen: message.addresses.join(','),
            configuration: message.generation,
          });
          // What it was told before it listened is lost.
          if (draining) tell(worker, { kind: 'drain' });
          break;
        case 'failed':
          if (everReady) log.warn('worker-failed', { worker: worker.process.pid ?? 0, text: message.text });
          else if (!draining) {
            console.error(`postern: ${message.text}`);
            drain(111);
          }
          break;
        case 'ask':
          arbiter.ask({
            ...message,
            answer: granted => tell(worker, { kind: 'answer', id: message.id, granted }),
          });
          break;
        case 'scanners':
          scannersOf.set(worker.id, message.scanners);
          writeStatus();
          break;
        case 'overdraft':
          for (const other of workers()) if (other !== worker) tell(other, message);
          break;
        case 'counted':
          arbiter.counted(message.id, message.client, message.total);
          break;
      }
    });
    cluster.on('exit', (worker, code, signal) => {
      const lived = Date.now() - (started.get(worker.id) ?? 0);
      started.delete(worker.id);
      scannersOf.delete(worker.id);
      if (draining) {
        if (workers().length === 0) void finish();
        return;
      }
      keeper.catchUp();
      log.warn('worker-died', {
        worker: worker.process.pid ?? 0,
        code: code ?? 0,
        signal: signal ?? '-',
        after: lived,
      });
      // A start that cannot succeed is told to whoever started us, who may try again.
      if (!everReady) return drain(111);
      setTimeout(() => draining || fork(), lived < INFANCY_MS ? RESPAWN_DELAY_MS : 0);
    });
    // A process may be seen to end before the last of what it has told is read.
    cluster.on('disconnect', () => {
      if (draining && workers().length === 0) void finish();
    });
    process.on('SIGTERM', () => drain(0));
    process.on('SIGINT', () => drain(0));
    process.on(
      'SIGHUP',
      () =>
        void reload(where, log).then(next => {
          if (next === null || draining) return;
          configuration = next;
          log.configure(next.site.values);
          journal.setRetention(next.site.values.retention);
          keeper.configure(keeperSettings(where, next.site.values));
          for (const worker of workers()) tell(worker, { kind: 'reload' });
          tester.start();
          writeStatus();
        }),
    );
    for (let i = 0; i < count; i++) fork();
  });
}

function keeperSettings(where: Places, values: SettingValues): KeeperSettings {
  return {
    folder: quarantineFolder(where, values),
    days: values.quarantinedays,
    recordDays: values.retention,
  };
}

/** The new configuration, or null when it has errors; then the old one stays in force. */
async function reload(where: ReturnType<typeof places>, log: Log): Promise<Configuration | null> {
  const { configuration, complaints, errors } = await configure(where);
  for (const line of complaints) log.warn('configuration', { text: line });
  if (configuration === null)
    log.warn('reload-refused', { errors, text: 'the settings before it stay in force' });
  else log.info('reloaded', { configuration: configuration.generation });
  return configuration;
}

function announce(
  addresses: readonly string[],
  configuration: Configuration,
  controlDir: string | null,
): void {
  for (const address of addresses) console.log(`Postern is listening for SMTP on ${address}`);
  if (controlDir === null)
    for (const line of firstSteps(addresses[0] ?? '', configuration)) console.log(line);
}
