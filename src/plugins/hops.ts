import { countFields, headerFields } from '../mail/header.ts';
import { definePlugin } from './define.ts';

/** Mail that goes round in circles: too many hops (RFC 5321 6.3; qmail-smtpd counts 100 Received and Delivered-To). */
export const hops = definePlugin({
  name: 'hops',
  doc: 'Counts the Received and Delivered-To fields of the message.',
  tier: 'local',
  rules: { HOPS: { doc: 'More Received or Delivered-To fields than `maxhops`: the message is looping.' } },
  settings: ['maxhops', 'headerfields'],
  onError: 'continue',
  sparesRelayClients: false,
  message({ message }, { settings, origin }) {
    const header = headerFields(message.header, settings.headerfields);
    const count = Math.max(countFields(header, 'received'), countFields(header, 'delivered-to'));
    if (count <= settings.maxhops) return [{ rule: 'HOPS', state: 'pass', detail: `${count} hops` }];
    return [
      {
        rule: 'HOPS',
        state: 'hit',
        detail: `${count} hops, limit ${settings.maxhops}`,
        source: origin('maxhops'),
      },
    ];
  },
});
