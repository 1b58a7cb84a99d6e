import type { SpfResult } from '../model/spf.ts';

/** What the qmail SPF patch calls the results (spf.c of rc5). */
export const CLASSIC_WORDS: Readonly<Record<SpfResult, string>> = {
  pass: 'pass',
  fail: 'fail',
  softfail: 'softfail',
  neutral: 'neutral',
  none: 'none',
  permerror: 'unknown',
  temperror: 'error',
};
