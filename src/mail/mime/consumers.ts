import type { MimeLimits } from '../../model/mime.ts';
import { archiveConsumer } from '../archive/archive-consumer.ts';
import { ArchiveBudget } from '../archive/budget.ts';
import type { FileHead, OpenConsumer, PartConsumer } from './consumer.ts';
import { hasTnefSignature, tnefConsumer } from './tnef.ts';
import { uuencodeConsumer } from './uuencode.ts';
import { looksUuencoded } from './uuencode-lines.ts';

const TNEF_TYPE = /^application\/(?:x-|vnd\.)?ms-tnef$/;
const TNEF_NAME = /^winmail\.dat$/i;

/** Files in files in files: TNEF in uuencode in TNEF. A level costs some hundred bytes, so a message has room for any. */
const MAX_DEPTH = 8;

/**
 * Who looks into the files of one message: TNEF, archives, uuencoded text; all of them under one budget, however they
 * lie in each other. What lies deeper than eight levels is the anomaly MIME_DEPTH.
 */
export function consumersFor(limits: MimeLimits): OpenConsumer {
  const budget = new ArchiveBudget(limits);
  const archives: OpenConsumer = (file, within) => archiveConsumer(file, within, budget, limits.spoolFolder);
  return containersOf(archives, open => open);
}

/**
 * The same for TNEF and uuencoded text, with `archives` in the place of those who read archives. `through` is handed who
 * looks into a file and answers with whom to ask in its place, for every file at every depth.
 */
export function containersOf(
  archives: OpenConsumer,
  through: (open: OpenConsumer) => OpenConsumer,
): OpenConsumer {
  const open = through((file, within) => {
    const around = file.place === null ? [...within, file.names[0]?.text ?? ''] : within;
    if (isTnef(file)) return around.length < MAX_DEPTH ? tnefConsumer(open, around) : tooDeep('TNEF');
    const archive = archives(file, within);
    if (archive !== null) return archive;
    const begins = looksUuencoded(file.leading);
    if (!begins && !file.types.some(type => type.startsWith('text/'))) return null;
    return around.length < MAX_DEPTH ? uuencodeConsumer(open, around) : tooDeep('uuencoded text');
  });
  return open;
}

function isTnef({ names, types, leading }: FileHead): boolean {
  if (hasTnefSignature(leading)) return true;
  return types.some(type => TNEF_TYPE.test(type)) || names.some(name => TNEF_NAME.test(name.text));
}

/** Nobody looks into it, and that is said. */
function tooDeep(what: string): PartConsumer {
  const detail = `${what} nested deeper than ${MAX_DEPTH}`;
  return {
    write: () => undefined,
    end: () => ({ members: [], archives: [], anomalies: [{ rule: 'MIME_DEPTH', detail }] }),
  };
}
