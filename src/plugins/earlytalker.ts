import { definePlugin } from './define.ts';

/** Clients that talk before the banner: spam software that does not listen (spamdyke’s earlytalker). */
export const earlytalker = definePlugin({
  name: 'earlytalker',
  doc: 'Reports clients that sent something before the banner, with or without a newline; `greetdelay` says how long we listen for it.',
  tier: 'local',
  rules: {
    EARLYTALKER: { doc: 'The client sent bytes before it was greeted (RFC 5321 4.3.1 has it wait).' },
  },
  settings: ['greetdelay'],
  onError: 'continue',
  sparesRelayClients: true,
  notBehindQmail: 'not told by qmail-smtpd',
  connect({ earlyBytes }, { settings }) {
    if (earlyBytes > 0)
      return [{ rule: 'EARLYTALKER', state: 'hit', detail: `${earlyBytes} bytes before the banner` }];
    if (settings.greetdelay === 0) return [];
    return [{ rule: 'EARLYTALKER', state: 'pass', detail: `waited ${settings.greetdelay} s` }];
  },
});
