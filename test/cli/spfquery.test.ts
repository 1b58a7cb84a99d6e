import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import type { DnsServer } from '../support/dns-server.ts';
import { controlFolder, postern } from '../support/gateway.ts';

let dns: DnsServer;
let site: Awaited<ReturnType<typeof controlFolder>>;

before(async () => {
  dns = await startDnsServer({
    'linuxstudy.pe.kr': [{ TXT: 'v=spf1 ip4:211.189.119.186 ip4:211.189.119.187 -all' }],
    'six.example': [{ TXT: 'v=spf1 ip6:2001:db8::/32 -all exp=why.six.example' }],
    'why.six.example': [{ TXT: '%{c} is not one of us' }],
    'soft.example': [{ TXT: 'v=spf1 ~all' }],
    'broken.example': [{ TXT: 'v=spf1 all:x' }],
    'down.example': ['SERVFAIL'],
  });
  site = await controlFolder({ dnsservers: `${dns.address}\n` });
});

after(async () => {
  await site[Symbol.asyncDispose]();
  await dns.close();
});

async function query(...args: readonly string[]) {
  const done = await postern(['spfquery', '--control', site.control, ...args]);
  return { code: done.code, out: done.stdout.toString(), err: done.stderr.toString() };
}

const said = (first: string, second: string) => ({ code: 0, out: `${first}\n${second}\n`, err: '' });

/** Command line to what is printed; the first two are the samples of the qmail howto, to the letter. */
const QUERIES: readonly [args: readonly string[], result: string, header: string][] = [
  [
    ['211.189.119.186', 'linuxstudy.pe.kr', 'root@linuxstudy.pe.kr'],
    'result=pass',
    'Received-SPF: pass (localhost: SPF record at linuxstudy.pe.kr designates 211.189.119.186 as permitted sender)',
  ],
  [
    ['211.189.119.190', 'linuxstudy.pe.kr', 'root@linuxstudy.pe.kr'],
    'result=fail: See http://spf.pobox.com/why.html?sender=root%40linuxstudy.pe.kr&ip=211.189.119.190&receiver=localhost',
    'Received-SPF: fail (localhost: SPF record at linuxstudy.pe.kr does not designate 211.189.119.190 as permitted sender)',
  ],
  [
    ['2001:db9::1', 'x', 'a@six.example'],
    'result=fail: 2001:db9::1 is not one of us',
    'Received-SPF: fail (localhost: SPF record at six.example does not designate 2001:db9::1 as permitted sender)',
  ],
  [
    ['192.0.2.1', 'soft.example', ''],
    'result=softfail',
    'Received-SPF: softfail (localhost: transitioning SPF record at soft.example does not designate 192.0.2.1 as permitted sender)',
  ],
  [
    ['192.0.2.1', 'x', 'a@broken.example'],
    'result=unknown',
    'Received-SPF: unknown (localhost: parse error in SPF record at broken.example)',
  ],
  [
    ['192.0.2.1', 'x', 'a@down.example'],
    'result=error',
    'Received-SPF: error (localhost: error in processing during lookup of down.example: DNS problem)',
  ],
  [
    ['nonsense', 'x', 'a@soft.example'],
    'result=unknown',
    'Received-SPF: unknown (localhost: No IP address in conversation)',
  ],
  [
    ['192.0.2.1', 'x', 'a@soft.example', 'ip4:192.0.2.1'],
    'result=pass',
    'Received-SPF: pass (localhost: local policy designates 192.0.2.1 as permitted sender)',
  ],
  [
    ['192.0.2.1', 'x', 'a@no.example', '', '-all', 'no mail from %{o}'],
    'result=fail: no mail from no.example',
    'Received-SPF: fail (localhost: local policy does not designate 192.0.2.1 as permitted sender)',
  ],
  [
    ['192.0.2.1', 'x', 'a@no.example', '-all'],
    'result=none',
    'Received-SPF: none (localhost: domain at no.example does not designate permitted sender hosts)',
  ],
];

for (const [args, result, header] of QUERIES) {
  test(`spfquery ${args.map(arg => arg || "''").join(' ')}`, async () => {
    assert.deepEqual(await query(...args), said(result, header));
  });
}

test('fewer than three arguments', async () => {
  const wrong = await query('192.0.2.1', 'x');
  assert.deepEqual(wrong, {
    code: 100,
    out: '',
    err: 'fatal: invalid usage\nusage: spfquery <sender-ip> <sender-helo/ehlo> <envelope-from> [<local rules>] [<best guess rules>]\n',
  });
});

test('a control directory with errors', async () => {
  await using other = await controlFolder({ dnsservers: 'nonsense\n' });
  const done = await postern(['spfquery', '--control', other.control, '192.0.2.1', 'x', 'a@example.net']);
  assert.equal(done.code, 111);
  assert.match(done.stderr.toString(), /dnsservers:1: /);
});
