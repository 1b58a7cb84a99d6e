import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RecordedFinding } from '../../src/model/finding.ts';
import type { VerdictRecord } from '../../src/model/record.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { controlFolder, postern, startGateway } from '../support/gateway.ts';
import { eventId, greeted } from '../program/dialogue.ts';

const RULES: ControlFiles = {
  badhelo: 'pool\n',
  badmailfrom: 'never@spam.example\n@spam.example\n',
  iplist: ':127.0.0.2:Not from $\n192.0.2.66\n',
  'tcp.smtp': '127.0.0.5:allow,RELAYCLIENT=""\n192.0.2.99:deny\n:allow\n',
  simcontrol: 'lenient@example.com:observe=BADMAILFROM\n',
};

const GOOD =
  'From: a@example.net\nDate: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-ID: <1@x>\n\n.hello\n\ngr\xfc\xdfe\n';
const TWO_FROM = `From: b@example.net\n${GOOD}`;

const crlf = (text: string) => text.replaceAll('\n', '\r\n');
/** What of a finding does not depend on when and where it was found. */
const plain = (f: RecordedFinding) => ({ ...f, ms: 0, source: f.source?.replace(/^.*\/control\//, '') });

interface Checked {
  readonly code: number | null;
  readonly records: readonly VerdictRecord[];
  readonly left: readonly string[];
}

/** Runs `postern check` over a message in a folder of its own; also what it left in the state folder. */
async function check(
  message: string,
  args: readonly string[],
  files: ControlFiles = RULES,
): Promise<Checked> {
  await using folder = await controlFolder(files);
  const file = join(folder.control, '..', 'message.eml');
  await writeFile(file, message, 'latin1');
  const done = await postern([
    'check',
    file,
    '--json',
    '--control',
    folder.control,
    '--state',
    folder.state,
    ...args,
  ]);
  assert.equal(done.stderr.toString(), '');
  const lines = done.stdout.toString().split('\n').filter(Boolean);
  return {
    code: done.code,
    records: lines.map(line => JSON.parse(line) as VerdictRecord),
    left: await readdir(folder.state),
  };
}

const CASES: Readonly<
  Record<string, { client: string; helo: string; from: string; rcpt: string; message: string; code: number }>
> = {
  'a good message': {
    client: '127.0.0.6',
    helo: 'a.example',
    from: 'a@example.net',
    rcpt: 'me@example.com',
    message: GOOD,
    code: 0,
  },
  'a relay client': {
    client: '127.0.0.5',
    helo: 'a.example',
    from: 'a@example.net',
    rcpt: 'x@y.example',
    message: GOOD,
    code: 0,
  },
  'a bad sender': {
    client: '127.0.0.6',
    helo: 'a.example',
    from: 'x@spam.example',
    rcpt: 'me@example.com',
    message: GOOD,
    code: 1,
  },
  'a bad sender to somebody lenient': {
    client: '127.0.0.6',
    helo: 'a.example',
    from: 'x@spam.example',
    rcpt: 'lenient@example.com',
    message: GOOD,
    code: 0,
  },
  'a bad HELO and no relay': {
    client: '127.0.0.6',
    helo: 'pool-7.example',
    from: 'a@example.net',
    rcpt: 'x@y.example',
    message: GOOD,
    code: 1,
  },
  'two From fields': {
    client: '127.0.0.6',
    helo: 'a.example',
    from: 'a@example.net',
    rcpt: 'me@example.com',
    message: TWO_FROM,
    code: 1,
  },
  'the null sender': {
    client: '127.0.0.6',
    helo: 'a.example',
    from: '',
    rcpt: 'me@example.com',
    message: GOOD,
    code: 0,
  },
};

test('check finds in a saved message what the gateway found, with LF and with CRLF, and sends nothing', async t => {
  await using gateway = await startGateway(RULES);
  for (const [name, { client, helo, from, rcpt, message, code }] of Object.entries(CASES)) {
    await t.test(name, async () => {
      await using live = await greeted(gateway.port, { from: client });
      await live.say(`EHLO ${helo}`);
      await live.say(`MAIL FROM:<${from}>`);
      let reply = await live.say(`RCPT TO:<${rcpt}>`);
      if (reply.startsWith('250')) {
        await live.say('DATA');
        // A line that begins with a dot, as it goes over the wire.
        reply = await live.say(`${crlf(message).replaceAll('\r\n.', '\r\n..')}.`);
      }
      const wanted = await gateway.record(eventId(reply));
      for (const saved of [message, crlf(message)]) {
        const args = ['--client', client, '--helo', helo, '--from', from, '--rcpt', rcpt];
        const checked = await check(saved, args);
        assert.equal(checked.code, code);
        const [record] = checked.records;
        assert.ok(record);
        assert.equal(checked.records.length, 1);
        assert.deepEqual(record.findings.map(plain), wanted.findings.map(plain));
        assert.deepEqual(
          [record.event, record.rule, record.sender, record.size, record.crc32, record.messageId],
          [wanted.event, wanted.rule, wanted.sender, wanted.size, wanted.crc32, wanted.messageId],
        );
        assert.equal(record.edge, 'check');
        assert.deepEqual(checked.left, [], 'no Maildir, no quarantine, no store');
      }
    });
  }
});

test('check shows a client that is turned away at once, IPv6 too, and one that only the list knows', async () => {
  const denied = await check(GOOD, ['--client', '192.0.2.99', '--rcpt', 'me@example.com']);
  assert.deepEqual([denied.code, denied.records[0]?.rule], [1, 'TCPRULES_DENY']);
  const listed = await check(GOOD, ['--client', '192.0.2.66', '--rcpt', 'me@example.com']);
  assert.deepEqual([listed.code, listed.records[0]?.reply], [1, '553 5.7.1 Not from 192.0.2.66']);
  const six = await check(GOOD, ['--client', '2001:DB8:0::1', '--rcpt', 'me@example.com']);
  assert.deepEqual([six.code, six.records[0]?.client?.ip], [0, '2001:db8::1']);
});

test('check with several recipients: a record for the refused and one for the message', async () => {
  const rcpts = ['--rcpt', 'me@example.com', 'x@y.example', '--rcpt', 'lenient@example.com'];
  const { records } = await check(GOOD, ['--client', '127.0.0.6', ...rcpts]);
  assert.deepEqual(
    records.map(r => [r.event, r.recipients.map(one => one.address)]),
    [
      ['recipient-refused', ['x@y.example']],
      ['message-accepted', ['me@example.com', 'lenient@example.com']],
    ],
  );
});

test('check knows the largest message of the client, counted with LF line ends', async () => {
  const files = {
    'tcp.smtp': `127.0.0.5:allow,DATABYTES="${GOOD.length - 1}"\n127.0.0.6:allow,DATABYTES="${GOOD.length}"\n`,
  };
  for (const saved of [GOOD, crlf(GOOD)]) {
    const tooBig = await check(saved, ['--client', '127.0.0.5', '--rcpt', 'me@example.com'], files);
    assert.deepEqual([tooBig.code, tooBig.records[0]?.rule], [1, 'DATABYTES']);
    const fits = await check(saved, ['--client', '127.0.0.6', '--rcpt', 'me@example.com'], files);
    assert.equal(fits.code, 0);
  }
});

test('check says what it cannot check', async () => {
  await using folder = await controlFolder();
  const places = ['--control', folder.control, '--state', folder.state];
  const missing = await postern([
    'check',
    '/nonexistent.eml',
    '--client',
    '127.0.0.6',
    '--rcpt',
    'me@example.com',
    ...places,
  ]);
  assert.equal(missing.code, 2);
  assert.match(missing.stdout.toString(), /^\/nonexistent\.eml: ENOENT/m);
  const nobody = await postern([
    'check',
    '/dev/null',
    '--client',
    'localhost',
    '--rcpt',
    'me@example.com',
    ...places,
  ]);
  assert.equal(nobody.code, 2);
  assert.match(nobody.stdout.toString(), /localhost.* is not an IP address/);
  await folder.write('actions', 'NO_SUCH:defer\n');
  const broken = await postern([
    'check',
    '/dev/null',
    '--client',
    '127.0.0.6',
    '--rcpt',
    'me@example.com',
    ...places,
  ]);
  assert.equal(broken.code, 2);
  assert.match(broken.stdout.toString(), /actions:1: NO_SUCH/);
  const withoutClient = await postern(['check', '/dev/null', '--rcpt', 'me@example.com', ...places]);
  assert.notEqual(withoutClient.code, 0);
  assert.match(withoutClient.stderr.toString(), /--client/);
});
