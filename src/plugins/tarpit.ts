import { definePlugin } from './define.ts';

/** Chris Johnson’s tarpit: from the n-th accepted recipient on, each answer waits (control-files.md 4.9). */
export const tarpit = definePlugin({
  name: 'tarpit',
  doc: 'Delays the answer from the `tarpitcount`-th accepted recipient on by `tarpitdelay` seconds, for every client.',
  tier: 'local',
  rules: { TARPIT: { doc: 'Enough recipients have been accepted for the answer to be delayed.' } },
  settings: ['tarpitcount', 'tarpitdelay'],
  onError: 'continue',
  sparesRelayClients: false,
  notBehindQmail: 'nobody waits for the answer to a recipient',
  rcpt({ accepted }, { settings, origin }) {
    const { tarpitcount, tarpitdelay } = settings;
    if (tarpitcount === 0 || accepted + 1 < tarpitcount) return [];
    return [
      {
        rule: 'TARPIT',
        state: 'hit',
        detail: `recipient ${accepted + 1}, ${tarpitdelay} s`,
        delaySeconds: tarpitdelay,
        source: origin('tarpitcount'),
      },
    ];
  },
});
