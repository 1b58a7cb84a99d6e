import { definePlugin } from './define.ts';

/**
 * Envelope senders that the site refuses (control-files.md 4.2, 4.3). `badmailfrom` holds for relay clients too, as it
 * always has; `badmailfromnorelay` is the list that spares them. The null sender never matches.
 */
export const badmailfrom = definePlugin({
  name: 'badmailfrom',
  doc: 'Compares the envelope sender with `badmailfrom` and, unless the client may relay, `badmailfromnorelay`.',
  tier: 'local',
  rules: {
    BADMAILFROM: { doc: 'An entry of `badmailfrom` matches the envelope sender.' },
    BADMAILFROM_PATTERN: { doc: 'An expression of `badmailfrom` matches the envelope sender.' },
    BADMAILFROMNORELAY: { doc: 'An expression of `badmailfromnorelay` matches the envelope sender.' },
  },
  settings: ['badmailfrom', 'badmailfromnorelay'],
  onError: 'continue',
  sparesRelayClients: false,
  mail({ sender, relayClient }, { settings }) {
    if (settings.badmailfrom.size === 0 && settings.badmailfromnorelay.size === 0) return [];
    if (sender === null) return [{ rule: 'BADMAILFROM', state: 'skipped', detail: 'null sender' }];
    const value = sender.text;
    const match = settings.badmailfrom.find(sender);
    if (match !== null) {
      const rule = match.pattern ? 'BADMAILFROM_PATTERN' : 'BADMAILFROM';
      return [{ rule, state: 'hit', value, detail: match.entry, source: match.place }];
    }
    if (relayClient) return [{ rule: 'BADMAILFROM', state: 'pass', value }];
    const denied = settings.badmailfromnorelay.find(sender);
    if (denied === null) return [{ rule: 'BADMAILFROM', state: 'pass', value }];
    return [{ rule: 'BADMAILFROMNORELAY', state: 'hit', value, detail: denied.entry, source: denied.place }];
  },
});
