import pino from 'pino';
import type { SettingValues } from '../control/settings.ts';
import type { VerdictRecord } from '../model/record.ts';
import { LineWriter } from './line-writer.ts';
import { classicLines } from '../journal/classic-lines.ts';
import { plainLine, recordFields } from '../journal/log-line.ts';

/** The program's log, on descriptor 2: unstamped lines in the plain form, since multilog stamps them. */
export interface Log {
  /** One line that tells the whole story of an event; or what an old filter would write, where `logformat` names one. */
  record(record: VerdictRecord): void;
  info(event: string, fields: Readonly<Record<string, string | number>>): void;
  warn(event: string, fields: Readonly<Record<string, string | number>>): void;
  /** Something of ours broke. */
  problem(sessionId: string, error: unknown): void;
  configure(values: LogSettings): void;
  flush(): void;
}

type LogSettings = Pick<SettingValues, 'logformat' | 'loglevel'>;
type Level = 'error' | 'warn' | 'info';

/** Opens the log. Writing never blocks the event loop. */
export function createLog(first: LogSettings): Log {
  const lines = new LineWriter(2);
  const json = pino(
    { base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'event' },
    lines,
  );
  let settings = first;
  json.level = first.loglevel;

  const write = (level: Level, event: string, fields: Readonly<Record<string, string | number>>) => {
    if (settings.logformat === 'json') json[level](fields, event);
    else if (json.isLevelEnabled(level)) lines.write(plainLine(event, fields));
    if (lines.dropped > 0 && event !== 'log-lines-dropped') {
      const count = lines.dropped;
      lines.dropped = 0;
      write('warn', 'log-lines-dropped', { count });
    }
  };

  return {
    record(record) {
      const { logformat } = settings;
      const ofOldFilter = logformat === 'simscan' || logformat === 'qmail-scanner';
      const old = ofOldFilter ? classicLines(logformat, record) : [];
      if (old.length === 0) write('info', record.event, recordFields(record));
      else if (json.isLevelEnabled('info')) for (const line of old) lines.write(line);
    },
    info: (event, fields) => write('info', event, fields),
    warn: (event, fields) => write('warn', event, fields),
    problem(sessionId, error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      write('error', 'internal-error', { ...(sessionId === '' ? {} : { session: sessionId }), text });
    },
    configure(values) {
      settings = values;
      json.level = values.loglevel;
    },
    flush: () => lines.flushSync(),
  };
}
