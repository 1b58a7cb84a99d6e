import { accessSync, constants } from 'node:fs';
import { stat } from 'node:fs/promises';
import { complaintText } from '../../model/origin.ts';
import { Complaints } from '../../control/complaints.ts';
import type { Configuration } from '../../control/configuration.ts';
import type { SocketAddress } from '../../control/network-entries.ts';
import { NOWHERE, socketAddress } from '../../control/network-entries.ts';
import { loadTcpRules, tcpRulesPaths, withRules } from '../../control/load.ts';
import { createJournal } from '../../journal/batcher.ts';
import type { Journal } from '../../model/record.ts';
import { OVERDRAFT_MS, SharedConnectionLimits } from '../../smtp/connection-limits.ts';
import { Listener } from '../../smtp/listener.ts';
import { configure } from '../configure.ts';
import { createLog } from '../log.ts';
import { places, queueSocket, spoolFolder } from '../places.ts';
import { ScannerSet } from '../scanners.ts';
import { wire } from '../wire.ts';
import { behindQmail } from './behind-qmail.ts';
import { Certificate } from './certificate.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { ScannerHealth } from './scanner-health.ts';

/** How often files that may change under us (tcp.smtp, the certificate) are looked at, milliseconds. */
const WATCH_MS = 1000;

/** How often the state of the scanners is looked at, milliseconds. */
const HEALTH_MS = 1000;

/** One worker process: accepts, checks, delivers. Everything it does that lasts, it tells the supervisor. */
async function work(): Promise<void> {
  const where = places(
    JSON.parse(process.env['POSTERN_PLACES'] ?? '{}') as { control?: string; state?: string },
  );
  const workers = Number(process.env['POSTERN_WORKERS'] ?? '1');
  const configured = await configure(where);
  if (configured.configuration === null) return giveUp(configured.complaints.join('\n'));
  let configuration: Configuration = configured.configuration;
  const log = createLog(configuration.site.values);
  const store = createJournal({ send: batch => tell({ kind: 'journal', batch }) });
  const journal: Journal = {
    write(record) {
      log.record(record);
      store.write(record);
      health.saw(record);
    },
  };
  const health = new ScannerHealth(
    () => scanners.current.state(),
    (event, fields) => (event === 'scanner-up' ? log.info(event, fields) : log.warn(event, fields)),
  );
  const onHeld = (id: string) => tell({ kind: 'held', id });
  const scanners = new ScannerSet(configuration.site.values);
  const wired = wire(configuration, where, journal, 'smtp', {}, onHeld, scanners);
  const certificate = new Certificate();
  const asked = new Map<number, (granted: boolean) => void>();
  let questions = 0;
  const limits = new SharedConnectionLimits(
    workers,
    question =>
      new Promise(resolve => {
        const id = ++questions;
        asked.set(id, granted => {
          if (granted) limits.granted(question.key);
          resolve(granted);
        });
        tell({ kind: 'ask', id, ...question });
      }),
    Date.now,
    process.env['POSTERN_REPLACEMENT'] === 'yes',
  );
  setInterval(() => {
    const changed = health.changed();
    if (changed !== null) tell({ kind: 'scanners', scanners: changed });
  }, HEALTH_MS).unref();
  setInterval(() => {
    const overdraft = limits.overdraft();
    if (overdraft !== null) tell({ kind: 'overdraft', ...overdraft });
  }, OVERDRAFT_MS).unref();
  const spool = spoolFolder(where, configuration.site.values);
  try {
    accessSync(spool, constants.W_OK);
    const { tlscert, tlskey } = configuration.site.values;
    await certificate.refresh(tlscert, tlskey, where.controlDir);
  } catch (error) {
    return giveUp(reason(error));
  }
  const listeners: Listener[] = [];
  const addresses: string[] = [];
  for (const entry of configuration.site.values.listen.filter(one => one !== NOWHERE)) {
    const listener = new Listener({
      gateway: wired.gateway,
      configuration: wired.configuration,
      limits,
      identify: wired.identify,
      secureContext: () => certificate.context,
      spoolFolder: spool,
      now: Date.now,
      problem: (sessionId, error) => log.problem(sessionId, error),
    });
    const { host, port } = socketAddress(entry) as SocketAddress;
    try {
      const bound = await listener.listen(host, port);
      addresses.push(host.includes(':') ? `[${host}]:${bound}` : `${host}:${bound}`);
    } catch (error) {
      return giveUp(`cannot listen on ${entry}: ${reason(error)}`);
    }
    listeners.push(listener);
  }
  const socketPath = queueSocket(where, configuration.site.values);
  const queue =
    socketPath === null ? null : behindQmail(configuration, where, journal, onHeld, scanners, log);
  try {
    if (socketPath !== null) await queue?.listener.listen(socketPath);
  } catch (error) {
    return giveUp(`cannot listen on ${socketPath}: ${reason(error)}`);
  }
  const adopt = (next: Configuration) => {
    configuration = next;
    wired.use(next);
    queue?.wired.use(next);
    log.configure(next.site.values);
  };
  let stamp = await rulesStamp(configuration, where.controlDir);
  const watcher = watchFiles(
    async () => {
      const { tlscert, tlskey, tcpsmtp } = configuration.site.values;
      const renewed = certificate.refresh(tlscert, tlskey, where.controlDir);
      await renewed.then(
        read => read && log.info('certificate-read', {}),
        error =>
          log.warn('certificate-refused', { text: `${reason(error)}; the one before it stays in use` }),
      );
      const seen = await rulesStamp(configuration, where.controlDir);
      if (seen === stamp) return;
      stamp = seen;
      const complaints = new Complaints();
      const rules = await loadTcpRules(tcpsmtp, where.controlDir, complaints);
      for (const complaint of complaints.list) log.warn('configuration', { text: complaintText(complaint) });
      if (complaints.errors === 0) adopt(withRules(configuration, rules));
      log.info('tcp-rules-read', { used: complaints.errors === 0 ? 'yes' : 'no' });
    },
    error => log.problem('', error),
  );

  process.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'answer':
        asked.get(message.id)?.(message.granted);
        asked.delete(message.id);
        break;
      case 'count':
        tell({ kind: 'counted', id: message.id, ...limits.count(message.key, message.crowded) });
        break;
      case 'overdraft':
        limits.contend(message);
        break;
      case 'reload':
        void configure(where).then(next => {
          if (next.configuration === null) log.warn('reload-refused', { text: next.complaints.join('; ') });
          else {
            adopt(next.configuration);
            log.info('settings-in-force', { configuration: next.configuration.generation });
          }
        });
        break;
      case 'drain':
        void drain();
        break;
    }
  });
  // Without its supervisor nobody would keep the records or replace it.
  process.on('disconnect', () => void drain());

  let draining = false;
  tell({ kind: 'ready', addresses, generation: configuration.generation });
  async function drain(): Promise<void> {
    if (draining) return;
    draining = true;
    clearInterval(watcher);
    const open = queue === null ? listeners : [...listeners, queue.listener];
    await Promise.all(open.map(one => one.drain(configuration.site.values.draintime)));
    await Promise.all([wired.close(), queue?.wired.close()]);
    store.flush();
    store.close();
    log.flush();
    // What still waits in the pipe to a busy supervisor is lost with this process.
    await delivered();
    if (process.connected) process.disconnect();
    process.exit(0);
  }
}

/** Date, size and inode of the files tcp.smtp may be in. */
async function rulesStamp(configuration: Configuration, controlDir: string | null): Promise<string> {
  const paths = tcpRulesPaths(configuration.site.values.tcpsmtp, controlDir);
  const infos = await Promise.all(paths.map(path => stat(path).catch(() => null)));
  return infos.map(info => (info === null ? '-' : `${info.ino} ${info.size} ${info.mtimeMs}`)).join(' ');
}

function watchFiles(look: () => Promise<void>, problem: (error: unknown) => void): NodeJS.Timeout {
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch(problem)
      .finally(() => {
        looking = false;
      });
  }, WATCH_MS);
  timer.unref();
  return timer;
}

/** Ends when everything that was told so far has gone to the supervisor, or it has gone itself. */
function delivered(): Promise<void> {
  return new Promise(resolve => {
    if (!process.connected) return resolve();
    const last: FromWorker = { kind: 'journal', batch: [] };
    process.send?.(last, undefined, undefined, () => resolve());
    process.once('disconnect', () => resolve());
  });
}

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function giveUp(text: string): void {
  tell({ kind: 'failed', text });
  // Let the message reach the supervisor first.
  setImmediate(() => process.exit(1));
}

process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);
process.on('SIGTERM', () => undefined);
// What nobody foresaw is told like everything else that keeps a worker from starting.
await work().catch((error: unknown) => giveUp(reason(error)));
