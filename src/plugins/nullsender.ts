import { definePlugin } from './define.ts';

/** Bounces go to one address (Charles Cazabon’s patch, control-files.md 4.12). */
export const nullsender = definePlugin({
  name: 'nullsender',
  doc: 'Looks for mail from the null sender to several recipients.',
  tier: 'local',
  rules: {
    NULLSENDER_RECIPIENTS: { doc: 'The null sender wrote to more than one recipient, which no bounce does.' },
  },
  settings: [],
  onError: 'continue',
  sparesRelayClients: true,
  data({ sender, recipients }) {
    if (sender !== null) return [];
    if (recipients.length === 1) return [{ rule: 'NULLSENDER_RECIPIENTS', state: 'pass' }];
    return [{ rule: 'NULLSENDER_RECIPIENTS', state: 'hit', detail: `${recipients.length} recipients` }];
  },
});
