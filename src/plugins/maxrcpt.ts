import { definePlugin } from './define.ts';

/** A limit on RCPT commands in one transaction (control-files.md 4.10); refused ones count, as in the patch of 1997. */
export const maxrcpt = definePlugin({
  name: 'maxrcpt',
  doc: 'Defers recipients beyond `maxrcpt`; the sender brings them in another transaction.',
  tier: 'local',
  rules: { MAXRCPT: { doc: 'More RCPT commands than `maxrcpt` allows in one transaction.' } },
  settings: ['maxrcpt'],
  onError: 'continue',
  sparesRelayClients: false,
  notBehindQmail: 'whoever queues the message has counted',
  rcpt({ attempts }, { settings, origin }) {
    if (settings.maxrcpt === 0 || attempts <= settings.maxrcpt) return [];
    return [
      {
        rule: 'MAXRCPT',
        state: 'hit',
        detail: `recipient ${attempts}, limit ${settings.maxrcpt}`,
        source: origin('maxrcpt'),
      },
    ];
  },
});
