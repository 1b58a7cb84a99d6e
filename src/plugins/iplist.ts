import { definePlugin } from './define.ts';

/** What rbldns says for a listing without a text, in the words its own default has for a client. */
const DEFAULT_TEXT = 'Your IP is listed';

/** The site's own list of addresses, read from a file in place of a DNS server. */
export const iplist = definePlugin({
  name: 'iplist',
  doc: 'Looks the client’s address up in `iplist`, a file in the format of rbldns or rbldnsd.',
  tier: 'local',
  rules: { IPLIST_REJECT: { doc: 'The address is in `iplist`; the text is the entry’s own.' } },
  settings: ['iplist'],
  onError: 'continue',
  sparesRelayClients: true,
  connect({ client }, { settings }) {
    if (client === null || settings.iplist.size === 0) return [];
    const found = settings.iplist.find(client.ip);
    if (found === null) return [{ rule: 'IPLIST_REJECT', state: 'pass', value: client.ip }];
    return [
      {
        rule: 'IPLIST_REJECT',
        state: 'hit',
        value: client.ip,
        detail: found.a,
        source: found.place,
        text: found.txt ?? DEFAULT_TEXT,
      },
    ];
  },
});
