import type { FileName, MimeLimits } from '../../model/mime.ts';
import { archiveConsumer } from '../archive/archive-consumer.ts';
import { ArchiveBudget } from '../archive/budget.ts';
import type { OpenConsumer } from './consumer.ts';
import { tnefConsumer } from './tnef.ts';
import { uuencodeConsumer } from './uuencode.ts';

/** MS-OXTNEF 2.1.3.1: the first four bytes. */
const TNEF_SIGNATURE = 0x22_3e_9f_78;

const TNEF_TYPE = /^application\/(?:x-|vnd\.)?ms-tnef$/;
const TNEF_NAME = /^winmail\.dat$/i;

/** Uuencoded text begins so, whatever the type says. */
const UU_BEGIN = /^\s*begin(?:-base64)? [0-7]{3,4} /;

/** Files in files in files: TNEF in uuencode in TNEF; archives count for themselves. */
const MAX_DEPTH = 8;

/**
 * Who looks into the files of one message: TNEF, archives, uuencoded text; all of them under one budget, however they
 * lie in each other.
 */
export function consumersFor(limits: MimeLimits): OpenConsumer {
  const budget = new ArchiveBudget(limits);
  const open: OpenConsumer = (names, type, leading, within) => {
    if (within.length < MAX_DEPTH && isTnef(names, type, leading)) return tnefConsumer(open, within);
    const archive = archiveConsumer(names, leading, within, budget, limits.spoolFolder);
    if (archive !== null) return archive;
    const text = type.startsWith('text/') || UU_BEGIN.test(leading.toString('latin1', 0, 64));
    return text && within.length < MAX_DEPTH ? uuencodeConsumer(open, within) : null;
  };
  return open;
}

function isTnef(names: readonly FileName[], type: string, leading: Buffer): boolean {
  if (leading.length >= 4 && leading.readUInt32LE(0) === TNEF_SIGNATURE) return true;
  return TNEF_TYPE.test(type) || names.some(name => TNEF_NAME.test(name.text));
}
