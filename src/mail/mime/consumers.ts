import type { MimeLimits } from '../../model/mime.ts';
import { archiveConsumer } from '../archive/archive-consumer.ts';
import { ArchiveBudget } from '../archive/budget.ts';
import type { OpenConsumer } from './consumer.ts';

/** Who looks into the files of one message: archives, TNEF, uuencoded text; all under one budget. */
export function consumersFor(limits: MimeLimits): OpenConsumer {
  const budget = new ArchiveBudget(limits);
  const open: OpenConsumer = (names, _type, leading, within) =>
    archiveConsumer(names, leading, within, budget, limits.spoolFolder);
  return open;
}
