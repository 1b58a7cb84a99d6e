import { definePlugin } from './define.ts';

/** HELO names that the site refuses: qregex’s `badhelo` (control-files.md 4.3). */
export const badhelo = definePlugin({
  name: 'badhelo',
  doc: 'Compares the HELO name with the expressions of `badhelo`; NOBADHELO in tcp.smtp switches it off for a client.',
  tier: 'local',
  rules: { BADHELO: { doc: 'An expression in `badhelo` matches the HELO name.' } },
  settings: ['badhelo', 'nobadhelo'],
  onError: 'continue',
  // As the patch has it: who wants relay clients spared writes NOBADHELO beside RELAYCLIENT.
  sparesRelayClients: false,
  helo({ helo }, { settings, origin }) {
    if (settings.badhelo.size === 0) return [];
    if (settings.nobadhelo)
      return [{ rule: 'BADHELO', state: 'skipped', detail: 'NOBADHELO', source: origin('nobadhelo') }];
    if (helo === null) return [{ rule: 'BADHELO', state: 'skipped', detail: 'no HELO' }];
    const match = settings.badhelo.find(helo.name);
    if (match === null) return [{ rule: 'BADHELO', state: 'pass', value: helo.name }];
    return [{ rule: 'BADHELO', state: 'hit', value: helo.name, detail: match.line, source: match.place }];
  },
});
