import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from '../../control/configuration.ts';
import type { Journal } from '../../model/record.ts';
import { Gateway } from '../../pipeline/gateway.ts';
import { HandBack } from '../../qmail/hand-back.ts';
import { QueueListener } from '../../qmail/queue-listener.ts';
import type { Log } from '../log.ts';
import type { Places } from '../places.ts';
import { HOME, spoolFolder } from '../places.ts';
import type { ScannerSet } from '../scanners.ts';
import type { Wired } from '../wire.ts';
import { wire } from '../wire.ts';

/** The edge behind qmail-smtpd: a house of its own, whose mail goes back to whoever brought it. */
export function behindQmail(
  first: Configuration,
  where: Places,
  journal: Journal,
  onHeld: (id: string) => void,
  scanners: ScannerSet,
  log: Log,
): { readonly wired: Wired; readonly listener: QueueListener } {
  const handBack = new HandBack();
  const ours = { handsBack: true, router: () => handBack };
  const wired = wire(first, where, journal, 'qmail', ours, onHeld, scanners);
  const { parts } = wired.gateway;
  const listener = new QueueListener(
    {
      gateway: wired.gateway,
      handBack,
      shadow: said =>
        new Gateway({
          ...parts,
          edge: 'shadow',
          journal: { write: said },
          hold: () => Promise.resolve(),
          keepCopy: () => Promise.resolve('nowhere: a shadow'),
          storageTrouble: () => null,
        }),
      spool: () => {
        const { values } = wired.configuration().site;
        const { spoolbytes: memoryBytes, headerbytes: headerBytes } = values;
        return { memoryBytes, headerBytes, folder: spoolFolder(where, values) };
      },
      version: VERSION,
      garbage: text => log.warn('queue-question', { text }),
      problem: (sessionId, error) => log.problem(sessionId, error),
    },
    () => wired.configuration().site.values.queueclients,
  );
  return { wired, listener };
}

const VERSION = (JSON.parse(readFileSync(join(HOME, 'package.json'), 'utf8')) as { version: string }).version;
