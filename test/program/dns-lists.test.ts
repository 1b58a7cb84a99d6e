import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import { startGateway } from '../support/gateway.ts';
import { startRbldnsd } from '../support/peers.ts';
import { dial, eventId, greeted } from './dialogue.ts';

const ZONE = 'bl.example.org';
/** rbldnsd's `$` is the listed address. */
const LISTED = `:127.0.0.2:Blocked, see http://bl.example.org/?$
127.0.0.66
127.0.0.99 :127.255.255.254:Error: open resolver
`;
const TEXT = 'Blocked, see http://bl.example.org/?127.0.0.66';

const listed = { [ZONE]: { type: 'ip4set', data: LISTED } };

test('a listed client reads the TXT text at RCPT, and the record knows whom it wrote to', async () => {
  await using list = await startRbldnsd(listed);
  await using gateway = await startGateway({ dnsservers: `${list.server}\n`, rbl: `-b -r ${ZONE}\n` });
  await using client = await greeted(gateway.port, { from: '127.0.0.66' });
  assert.match(await client.say('EHLO spam.example'), /^250/);
  assert.match(await client.say('MAIL FROM:<seller@spam.example>'), /^250 /);
  const reply = await client.say('RCPT TO:<me@example.com>');
  assert.equal(reply.replace(/ \[.*/, ''), `553 5.7.1 ${TEXT}`);
  assert.match(await client.say('DATA'), /^554 /);
  const record = await gateway.record(eventId(reply));
  assert.equal(record.event, 'recipient-refused');
  assert.equal(record.rule, 'RBL_REJECT');
  assert.equal(record.client?.ip, '127.0.0.66');
  assert.equal(record.sender, 'seller@spam.example');
  assert.deepEqual(
    record.recipients.map(r => [r.address, r.verdict, r.rule]),
    [['me@example.com', 'reject', 'RBL_REJECT']],
  );
  const text = await gateway.explain(eventId(reply));
  assert.match(text, /^> +connect +RBL_REJECT +hit .*control\/rbl:1 .*127\.0\.0\.66.*Blocked, see/m);

  // Everybody else is welcome.
  await using other = await greeted(gateway.port, { from: '127.0.0.67' });
  assert.match(await other.envelope(), /^250 /);
  assert.match(await other.message(), /^250 /);
  assert.equal((await gateway.maildir()).length, 1);
});

test('without -b the same list defers', async () => {
  await using list = await startRbldnsd(listed);
  await using gateway = await startGateway({ dnsservers: `${list.server}\n`, rbl: `-r ${ZONE}\n` });
  await using client = await greeted(gateway.port, { from: '127.0.0.66' });
  assert.match(
    await client.envelope(),
    /^451 4\.7\.1 Blocked, see http:\/\/bl\.example\.org\/\?127\.0\.0\.66 \[/,
  );
});

test('a recipient’s own line lifts the list for postmaster and nobody else', async () => {
  await using list = await startRbldnsd(listed);
  await using gateway = await startGateway({
    dnsservers: `${list.server}\n`,
    rbl: `-b -r ${ZONE}\n`,
    simcontrol: 'postmaster@example.com:observe=RBL_REJECT\n',
  });
  await using client = await greeted(gateway.port, { from: '127.0.0.66' });
  assert.match(await client.envelope('listed@example.net', 'me@example.com'), /^553 /);
  assert.match(await client.say('RCPT TO:<Postmaster@Example.COM>'), /^250 /);
  const reply = await client.message();
  assert.match(reply, /^250 /);
  const record = await gateway.record(eventId(reply));
  assert.equal(record.event, 'message-accepted');
  assert.deepEqual(
    record.findings.filter(f => f.rule === 'RBL_REJECT').map(f => f.state),
    ['hit'],
  );
  const lift = record.recipients.flatMap(one => one.settings ?? []).find(s => s.name === 'observe');
  assert.equal(lift?.origin.place, `${gateway.control}/simcontrol:1`);
  const [mail] = await gateway.maildir();
  assert.match(String(mail), /^Delivered-To: Postmaster@Example\.COM$/m);
});

test('a list that answers with an error code refuses nobody and shows as an error', async () => {
  await using list = await startRbldnsd(listed);
  await using gateway = await startGateway({ dnsservers: `${list.server}\n`, rbl: `-b -r ${ZONE}\n` });
  await using client = await greeted(gateway.port, { from: '127.0.0.99' });
  assert.match(await client.envelope(), /^250 /);
  const reply = await client.message();
  assert.match(reply, /^250 /);
  const text = await gateway.explain(eventId(reply));
  assert.match(text, /^ +connect +RBL_ERROR +error .*bl\.example\.org.*127\.255\.255\.254/m);
});

for (const failure of ['SERVFAIL', 'REFUSED', 'TIMEOUT', 'GARBAGE']) {
  test(`a list that fails with ${failure} refuses nobody and shows as an error`, async () => {
    await using dns = await usingDns({ [`66.0.0.127.${ZONE}`]: [failure] });
    await using gateway = await startGateway({
      dnsservers: `${dns.address}\n`,
      dnstimeout: '200\n',
      rbl: `-b -r ${ZONE}\n`,
    });
    await using client = await greeted(gateway.port, { from: '127.0.0.66' });
    assert.match(await client.envelope(), /^250 /);
    const record = await gateway.record(eventId(await client.message()));
    assert.equal(record.event, 'message-accepted');
    const errors = record.findings.filter(f => f.rule === 'RBL_ERROR');
    assert.deepEqual(
      errors.map(f => [f.state, f.source]),
      [['error', `${gateway.control}/rbl:1`]],
    );
  });
}

test('a failing list under -c defers', async () => {
  await using dns = await usingDns({ [`66.0.0.127.${ZONE}`]: ['SERVFAIL'] });
  await using gateway = await startGateway({ dnsservers: `${dns.address}\n`, rbl: `-b -c -r ${ZONE}\n` });
  await using client = await greeted(gateway.port, { from: '127.0.0.66' });
  assert.match(await client.envelope(), /^451 4\.7\.1 temporary RBL lookup error \[/);
});

test('RBLSMTPD in tcp.smtp decides without asking a list; relay clients are spared', async () => {
  await using dns = await usingDns({});
  await using gateway = await startGateway({
    dnsservers: `${dns.address}\n`,
    rbl: `-b -r ${ZONE}\n`,
    'tcp.smtp': [
      '127.0.0.10:allow,RBLSMTPD="-Go away"',
      '127.0.0.11:allow,RBLSMTPD="Later"',
      '127.0.0.12:allow,RBLSMTPD=""',
      '127.0.0.13:allow,RELAYCLIENT=""',
      '127.0.0.14:allow,RELAYCLIENT="",RBLSMTPD="-Go away"',
      '',
    ].join('\n'),
  });
  const zone: Record<string, readonly Record<string, string>[]> = {};
  for (const n of [10, 11, 12, 13, 14, 15])
    zone[`${n}.0.0.127.${ZONE}`] = [{ A: '127.0.0.2' }, { TXT: 'on the list' }];
  dns.serve(zone);
  const cases: readonly [string, RegExp][] = [
    ['127.0.0.10', /^553 5\.7\.1 Go away \[/],
    ['127.0.0.11', /^451 4\.7\.1 Later \[/],
    ['127.0.0.12', /^250 /],
    ['127.0.0.13', /^250 /],
    ['127.0.0.14', /^250 /],
    ['127.0.0.15', /^553 5\.7\.1 on the list \[/],
  ];
  for (const [from, wanted] of cases) {
    await using client = await greeted(gateway.port, { from });
    assert.match(await client.envelope(), wanted, from);
  }
  assert.equal(dns.queries(undefined, 'TXT'), 1);

  await using relay = await greeted(gateway.port, { from: '127.0.0.13' });
  assert.match(await relay.envelope('a@example.com', 'b@anywhere.example'), /^250 /);
});

test('with refuseat=stage the listed client is refused by the banner', async () => {
  await using list = await startRbldnsd(listed);
  await using gateway = await startGateway({
    dnsservers: `${list.server}\n`,
    rbl: `-b -r ${ZONE}\n`,
    refuseat: 'stage\n',
  });
  await using client = await dial(gateway.port, { from: '127.0.0.66' });
  const banner = await client.reply();
  assert.equal(banner.replace(/ \[.*/, ''), `554 5.7.1 ${TEXT}`);
  await client.end();
  assert.equal((await gateway.record(eventId(banner))).event, 'connection-refused');
});

/** A DNS server with `await using`. */
async function usingDns(zone: Parameters<typeof startDnsServer>[0]) {
  const server = await startDnsServer(zone);
  return { ...server, [Symbol.asyncDispose]: () => server.close() };
}
