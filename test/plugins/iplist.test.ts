import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Complaints } from '../../src/control/complaints.ts';
import { parseIpList } from '../../src/control/ip-list.ts';
import type { Dns } from '../../src/model/dns.ts';
import { iplist } from '../../src/plugins/iplist.ts';

const LIST = `:127.0.0.3:Blocked, see http://bl.test/?$
192.0.2.0/24
!192.0.2.7
198.51.100.1 :127.0.0.4:
2001:db8::/32
`;

/** The plugin is of the local tier: whatever it asked would be a mistake. */
const NO_DNS = new Proxy({} as Dns, {
  get: () => {
    throw new Error('asked DNS');
  },
});

function run(ip: string | null, list = LIST) {
  const client =
    ip === null
      ? null
      : { ip, port: 40000, localIp: '192.0.2.25', localPort: 25, reverseName: null, ident: null };
  const tools = {
    settings: { iplist: parseIpList(list, 'control/iplist', new Complaints()) },
    origin: () => 'control/iplist',
    dns: NO_DNS,
    now: () => 0,
    signal: new AbortController().signal,
  };
  return iplist.connect?.({ sessionId: 's', client, relayClient: false, startedAt: 0, earlyBytes: 0 }, tools);
}

test('a listed client is refused with the text of the list', () => {
  assert.deepEqual(run('192.0.2.1'), [
    {
      rule: 'IPLIST_REJECT',
      state: 'hit',
      value: '192.0.2.1',
      detail: '127.0.0.3',
      source: 'control/iplist:2',
      text: 'Blocked, see http://bl.test/?192.0.2.1',
    },
  ]);
});

test('an entry without text gets ours', () => {
  assert.deepEqual(run('198.51.100.1'), [
    {
      rule: 'IPLIST_REJECT',
      state: 'hit',
      value: '198.51.100.1',
      detail: '127.0.0.4',
      source: 'control/iplist:4',
      text: 'Your IP is listed',
    },
  ]);
});

test('IPv6', () => {
  const findings = run('2001:db8::1');
  assert.ok(Array.isArray(findings));
  assert.equal(findings[0]?.source, 'control/iplist:5');
});

test('excluded and unlisted clients pass', () => {
  for (const ip of ['192.0.2.7', '203.0.113.1', '::1']) {
    assert.deepEqual(run(ip), [{ rule: 'IPLIST_REJECT', state: 'pass', value: ip }]);
  }
});

test('nothing to say without a list or a client', () => {
  assert.deepEqual(run('192.0.2.1', ''), []);
  assert.deepEqual(run(null), []);
});
