import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DnsServer, Zone } from '../support/dns-server.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { dkimpyVerify } from '../support/dkimpy-dkim.ts';
import type { ControlFiles, RunningGateway } from '../support/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { mailDkimVerify } from '../support/mail-dkim.ts';
import { swaks } from '../support/peers.ts';
import { temporaryFolder, waitFor } from '../support/processes.ts';
import { BEHIND_QMAIL, envelope, queueSocket, RECEIVED, startQueueRig } from '../support/qmail-rig.ts';
import { buildQmail, startSmtpd, StubQueue } from '../support/qmail-smtpd.ts';
import type { QmailPrograms, Smtpd } from '../support/qmail-smtpd.ts';
import { testKeys, withDomainKeys } from '../support/signed-mail.ts';
import type { KeyFolder } from './authentication.ts';
import { asShipped, findingsOf, keyFolder, letter, toCrlf } from './authentication.ts';

/** A qmail host with keys: tcpserver, qmail-smtpd, postern-queue, a gateway behind it, and bin/qmail-queue. */
interface Host extends AsyncDisposable {
  readonly dns: DnsServer;
  readonly gateway: RunningGateway;
  readonly keys: KeyFolder;
  readonly home: string;
  readonly queue: StubQueue;
  readonly programs: QmailPrograms;
  /** tcpserver with these rules, whose QMAILQUEUE is not set but there. */
  smtpd(channel: 6 | null, rules: string): Promise<Smtpd>;
}

async function startHost(zone: Zone, files: ControlFiles = {}): Promise<Host> {
  const stack = new AsyncDisposableStack();
  try {
    const { path: home } = stack.use(await temporaryFolder());
    const keys = stack.use(await keyFolder());
    const dns = stack.adopt(await startDnsServer(zone), server => server.close());
    const programs = await buildQmail(home);
    await mkdir(join(home, 'bin'));
    await symlink(programs.queue, join(home, 'bin/qmail-queue'));
    const queue = await StubQueue.make(join(home, 'queue'));
    const gateway = stack.use(await startGateway({ ...BEHIND_QMAIL, ...asShipped(dns), ...files }));
    const env = {
      POSTERN_SOCKET: queueSocket(gateway),
      STUB_QUEUE: queue.folder,
      QMAILQUEUE: 'bin/qmail-queue',
    };
    const smtpd = (channel: 6 | null, rules: string) => startSmtpd({ programs, home, channel, rules, env });
    const dispose = () => stack.disposeAsync();
    return { dns, gateway, keys, home, queue, programs, smtpd, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Sends a message (CRLF lines) with swaks from `ip`, one of ours; what was said to the final dot. */
async function told({ home }: Host, smtpd: Smtpd, ip: string, text: string): Promise<string> {
  const file = join(home, 'letter');
  await writeFile(file, text, 'latin1');
  const who = ['--ehlo', 'client.example', '--from', 'joe@example.com', '--to', 'me@example.com'];
  const done = await swaks(smtpd.port, [...who, '--local-interface', ip, '--data', `@${file}`]);
  const transcript = done.stdout.toString();
  return /-> \.\n<[-* ~]+(.*)\n/.exec(transcript)?.[1]?.trim() ?? transcript;
}

const WITH_KEY: Zone = { 'default._domainkey.example.com': [{ TXT: testKeys().record }] };

test('the HOWTO’s lines of tcp.smtp under tcpserver: signed going out, verified coming in', async () => {
  await using host = await startHost(WITH_KEY);
  const { keys, programs, queue, dns, gateway } = host;
  const key = await keys.put('example.com', 'default');
  await using smtpd = await host.smtpd(
    6,
    `127.0.0.2:allow,RELAYCLIENT="",DKSIGN="${key}",DKIMSIGN="${key}",QMAILQUEUE="${programs.client}"\n` +
      `:allow,DKVERIFY="DEGIJKfh",QMAILQUEUE="${programs.client}"\n`,
  );
  assert.match(
    await told(host, smtpd, '127.0.0.2', letter('joe@example.com', 'one  two\t\r\n\r\n')),
    /^250 ok /,
  );
  const [out] = await queue.messages();
  const signed = toCrlf(out?.message ?? assert.fail());
  const [theirs] = await mailDkimVerify([signed], dns.port);
  assert.deepEqual(theirs?.signatures.map(({ kind, result }) => `${kind} ${result}`).toSorted(), [
    'dkim pass',
    'domainkeys pass',
  ]);
  assert.deepEqual(await dkimpyVerify([signed], dns.port), [[true]]);

  assert.match(await told(host, smtpd, '127.0.0.1', signed.toString('latin1')), /^250 ok /);
  const back = (await queue.messages()).find(({ message }) => message.includes('DomainKey-Status'));
  assert.match(
    back?.message.toString('latin1') ?? '',
    /^Received: by mx\.example\.com \(Postern[^]*?Authentication-Results: mx\.example\.com;\n[^]*?\tdomainkeys=pass header\.d=example\.com[^]*?DomainKey-Status: good {8}\nReceived: from unknown \(HELO/,
  );
  const { id } = await gateway.logged('message-accepted', line => line['client'] === '127.0.0.1');
  assert.match(
    await gateway.explain(String(id)),
    /DOMAINKEYS +pass .*asked: TXT default\._domainkey\.example\.com: "v=DKIM1/,
  );
});

test('DKVERIFY’s letters as qmail-smtpd says them, with the text and without', async () => {
  await using host = await startHost({
    'default._domainkey.example.com': [{ TXT: 'k=rsa; p=' }],
    'gone._domainkey.example.com': ['SERVFAIL'],
  });
  const rules = `:allow,DKVERIFY="DEGIJKfh",QMAILQUEUE="${host.programs.client}"\n`;
  const revoked = await withDomainKeys(letter('joe@example.com'), 'example.com', 'default');
  const failing = await withDomainKeys(letter('joe@example.com'), 'example.com', 'gone');
  await using smtpd = await host.smtpd(6, rules);
  assert.match(
    await told(host, smtpd, '127.0.0.1', revoked),
    /^554 DomainKeys verification failed: revoked \(#5\.7\.20\) \[/,
  );
  assert.match(
    await told(host, smtpd, '127.0.0.1', failing),
    /^451 DomainKeys verification failed for now: no key \(#4\.7\.20\) \[/,
  );
  await using stock = await host.smtpd(null, rules);
  assert.match(await told(host, stock, '127.0.0.1', revoked), /^554 /);
  assert.match(await told(host, stock, '127.0.0.1', failing), /^451 /);
  assert.match(
    await told(host, stock, '127.0.0.1', letter('joe@example.com')),
    /^250 /,
    'C is not among them',
  );
  const messages = await host.queue.messages();
  assert.deepEqual(
    messages.map(({ message }) => /^DomainKey-Status: .*/m.exec(message.toString())?.[0]),
    ['DomainKey-Status: no signature'],
  );
});

test('who is logged in is signed for, a program of this host too; a stranger is not', async () => {
  await using keys = await keyFolder();
  await keys.put('example.com', 'default');
  const server = await startDnsServer(WITH_KEY);
  await using _ = { [Symbol.asyncDispose]: () => server.close() };
  await using rig = await startQueueRig({ ...asShipped(server), dkimsign: `${keys.path}/%/default\n` });
  const text = letter('joe@example.com').replaceAll('\r\n', '\n');
  const local = { TCPREMOTEIP: '', TCPREMOTEHOST: '' };
  const arrivals: Buffer[] = [];
  const wanted: boolean[][] = [];
  for (const [what, top, env, signed] of [
    ['logged in', RECEIVED.replace('ESMTP', 'ESMTPA'), {}, true],
    ['logged in, with TLS', RECEIVED.replace('ESMTP', 'ESMTPSA'), {}, true],
    ['a relay client', RECEIVED, { RELAYCLIENT: '' }, true],
    ['a program', '', local, true],
    ['a stranger', RECEIVED, {}, false],
    ['a stranger who forges the field', `${RECEIVED}${RECEIVED.replace('ESMTP', 'ESMTPA')}`, {}, false],
  ] as const) {
    const message = top + text;
    const outcome = await rig.bring({
      message,
      env,
      envelope: envelope('joe@example.com', 'me@example.com'),
    });
    assert.deepEqual([outcome.code, outcome.runs], [0, 1], what);
    const arrived = outcome.message;
    assert.ok(arrived.toString('latin1').endsWith(message), what);
    arrivals.push(toCrlf(arrived));
    wanted.push(signed ? [true] : []);
  }
  assert.deepEqual(await dkimpyVerify(arrivals, server.port), wanted);
});

test('odd line ends: what is signed is what qmail-remote will send', async () => {
  await using keys = await keyFolder();
  await keys.put('example.com', 'default');
  const server = await startDnsServer(WITH_KEY);
  await using _ = { [Symbol.asyncDispose]: () => server.close() };
  const paths = { dkimsign: `${keys.path}/%/default\n`, dksign: `${keys.path}/%/default\n` };
  await using rig = await startQueueRig({ ...asShipped(server), ...paths });
  const out: Buffer[] = [];
  for (const options of ['-c r', '-c s'])
    for (const body of ['no line end', 'two\n\n\n', ' \n\n', '', 'with\r\nCRLF\r\n', 'caf\xe9\0\n.\n..\n']) {
      const message = `${RECEIVED}${letter('joe@example.com', '').replaceAll('\r\n', '\n')}${body}`;
      const env = { RELAYCLIENT: '', DKIMSIGNOPTIONS: options };
      const outcome = await rig.bring({
        message,
        env,
        envelope: envelope('joe@example.com', 'me@example.com'),
      });
      assert.deepEqual([outcome.code, outcome.runs], [0, 1]);
      // blast() of qmail-remote: each LF becomes CRLF, and a last line without one gets it.
      const sent = toCrlf(outcome.message);
      out.push(sent.at(-1) === 10 ? sent : Buffer.concat([sent, Buffer.from('\r\n')]));
    }
  assert.deepEqual(
    await dkimpyVerify(out, server.port),
    out.map(() => [true]),
  );
  assert.deepEqual(
    (await mailDkimVerify(out, server.port)).map(({ signatures }) =>
      signatures.map(({ kind, result }) => `${kind} ${result}`).toSorted(),
    ),
    out.map(() => ['dkim pass', 'domainkeys pass']),
  );
});

test('a key that cannot be used: exit 71 and its text; the record names the file', async () => {
  await using keys = await keyFolder();
  const path = await keys.put('example.com', 'default', 'no key\n');
  await using rig = await startQueueRig();
  const env = { RELAYCLIENT: '', DKSIGN: path };
  const message = RECEIVED + letter('joe@example.com').replaceAll('\r\n', '\n');
  const outcome = await rig.bring({ message, env, channels: ['w:6'] });
  assert.equal(outcome.runs, 0);
  assert.match(outcome.texts[6] ?? '', /^Zthe key to sign this message with cannot be used/);
  const stock = await rig.bring({ message, env });
  assert.deepEqual([stock.code, stock.runs], [71, 0]);
  const { id } = await rig.gateway.logged('message-refused', line => String(line['why']).includes(path));
  const [found] = findingsOf(await rig.gateway.record(String(id)), 'SIGN_KEY');
  assert.equal(found?.source, 'environment');
});

test('forged Authentication-Results stay in a queue, which only takes fields on top: ours is above, and they are told', async () => {
  const server = await startDnsServer({});
  await using _ = { [Symbol.asyncDispose]: () => server.close() };
  await using rig = await startQueueRig(asShipped(server));
  const forged = 'Authentication-Results: mx.example.com; dkim=pass header.d=bank.example\n';
  const message = RECEIVED + forged + letter('joe@bank.example').replaceAll('\r\n', '\n');
  const outcome = await rig.bring({ message, envelope: envelope('a@bank.example', 'me@example.com') });
  const text = outcome.message.toString('latin1');
  assert.match(
    text,
    /^Received: by mx[^]*?\nAuthentication-Results: mx\.example\.com;\n\tspf=none[^]*?\tdkim=none/,
  );
  assert.ok(text.endsWith(message));
  const record = await waitFor('the record', async () => (await rig.gateway.records('me@example.com'))[0]);
  assert.equal(findingsOf(record, 'HEADER_FORGED_TRUST')[0]?.state, 'hit');
});
