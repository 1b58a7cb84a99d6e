import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { dnsCacheServers } from '../../src/cli/rblsmtpd.ts';
import { startDnsServer } from '../support/dns-server.ts';
import type { DnsServer } from '../support/dns-server.ts';
import { ROOT, run, start } from '../support/processes.ts';
import type { Program } from '../support/processes.ts';

const OURS = [join(ROOT, 'bin/postern'), 'rblsmtpd'];
const REAL = ['rblsmtpd'];

let dns: DnsServer;

/** tcpserver's clients are 127.0.0.1 here; `one` is that address in a list. */
const one = (zone: string) => `1.0.0.127.${zone}`;

before(async () => {
  dns = await startDnsServer({
    [one('bl.test')]: [{ TXT: ['Blocked - ', 'see %IP% \xe9'] }, { A: '127.0.0.2' }],
    [one('bl2.test')]: [{ TXT: ['second'] }, { A: '127.0.0.2' }],
    [one('white.test')]: [{ A: '127.0.0.1' }],
    [one('a-only.test')]: [{ A: '127.0.0.2' }],
    [one('sick.test')]: [{ TXT: ['Error: open resolver'] }, { A: '127.255.255.254' }],
    [one('down.test')]: ['SERVFAIL'],
    'not-an-ip.bl.test': [{ TXT: ['odd'] }],
    'bl.test': [{ TXT: ['bare zone'] }],
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test': [{ TXT: ['six'] }],
  });
});

after(() => dns.close());

type Environment = Readonly<Record<string, string | undefined>>;

interface Server extends AsyncDisposable {
  readonly program: Program;
  readonly port: number;
}

/** `command` under tcpserver on a free port: `-1` prints the port, `-v` logs pids and exit codes. */
async function tcpserver(command: readonly string[], env: Environment = {}): Promise<Server> {
  const program = await start('tcpserver', ['-v', '-1', '-H', '-R', '-l0', '127.0.0.1', '0', ...command], {
    env: { RBLSMTPD: undefined, DNSCACHEIP: dns.address, ...env },
  });
  const port = Number((await program.output(/^([0-9]+)\n/))[1]);
  return { program, port, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

/** Everything the server says until it hangs up; `input` is sent at once, and the sending side closed unless `hold`. */
async function talk(port: number, input: string, hold = false): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const pieces: Buffer[] = [];
  socket.on('data', piece => pieces.push(piece));
  socket.write(input, 'latin1');
  if (!hold) socket.end();
  await once(socket, 'end');
  socket.destroy();
  return Buffer.concat(pieces).toString('latin1');
}

/** The log without pids, ports and tcpserver's own lines, when the one connection has ended. */
async function logOf({ program }: Server): Promise<string> {
  await program.output(/tcpserver: end [0-9]+ status/);
  return program.stderr
    .split('\n')
    .filter(line => !line.startsWith('tcpserver: ') || line.includes(': end '))
    .map(line => line.replace(/pid [0-9]+/, 'pid N').replace(/end [0-9]+/, 'end N'))
    .join('\n');
}

async function session(
  command: readonly string[],
  env: Environment,
  input: string,
): Promise<{ out: string; log: string }> {
  await using server = await tcpserver(command, env);
  const out = await talk(server.port, input);
  return { out, log: await logOf(server) };
}

const DIALOGUE =
  'helo x\r\nMAIL FROM:<a@b>\r\nrcpt to:<c@d>\r\ndata\r\n\r\nNoop\r\nrset\nstarttls\r\nquit\r\nhelo y\r\n';

for (const [what, env, args, input] of [
  ['-text', { RBLSMTPD: '-Go away' }, ['-t', '20'], DIALOGUE],
  ['text', { RBLSMTPD: 'Come back later' }, ['-b', '-t20'], DIALOGUE],
  ['a lone hyphen', { RBLSMTPD: '-' }, [], DIALOGUE],
  ['a long text with odd bytes', { RBLSMTPD: `-\t\x07\x7f caf\u00e9 ${'y'.repeat(250)}` }, [], DIALOGUE],
  ['no QUIT', { RBLSMTPD: '-x' }, [], 'EHLO\r\nfoo\r\nquit'],
  [
    'odd lines',
    { RBLSMTPD: '-x' },
    [],
    `quit\r\r\n quit\n\0\n${'z'.repeat(5000)}\nhelo\t\nheloo\nehlo\nQuIt x\n`,
  ],
  ['no input at all', { RBLSMTPD: '-x' }, [], ''],
  ['-t 0', { RBLSMTPD: '-x' }, ['-t', '0'], ''],
  ['empty', { RBLSMTPD: '' }, ['-r', 'bl.test'], 'hello\n'],
  ['no list', {}, ['-b', '-c'], 'hello\n'],
] as const) {
  test(`RBLSMTPD ${what}: as the real rblsmtpd under tcpserver, byte for byte`, async () => {
    const command = [...args, 'sh', '-c', 'echo passed; cat'];
    const [real, ours] = await Promise.all([
      session([...REAL, ...command], env, input),
      session([...OURS, ...command], env, input),
    ]);
    assert.deepEqual(ours, real);
    assert.match(ours.log, /end N status 0/);
  });
}

const BLOCKED = 'Blocked - see %IP% ?';

const LISTS: readonly (readonly [options: string, said: string])[] = [
  ['-r bl.test', `451 ${BLOCKED}`],
  ['-b -r bl.test', `553 ${BLOCKED}`],
  ['-r bl2.test -b -r bl.test', '451 second'],
  ['-a white.test -b -r bl.test', 'passed'],
  ['-b -r bl.test -a white.test', `553 ${BLOCKED}`],
  ['-r a-only.test', 'passed'],
  ['-r none.test', 'passed'],
  ['-b -r down.test', 'passed'],
  ['-b -r down.test -r bl.test', `451 ${BLOCKED}`],
  ['-c -b -r down.test -r bl.test', '451 temporary RBL lookup error'],
  ['-a down.test -r bl.test', 'passed'],
  ['-c -a down.test -b -r bl.test', `451 ${BLOCKED}`],
  // Here the original refuses everybody.
  ['-b -r sick.test', 'passed'],
  ['-b -r sick.test -r bl.test', `451 ${BLOCKED}`],
];

for (const [options, said] of LISTS) {
  test(`rblsmtpd ${options}`, async () => {
    const { out, log } = await session(
      [...OURS, ...options.split(' '), 'sh', '-c', 'echo passed; cat >&2'],
      {},
      'rcpt\r\nquit\r\n',
    );
    if (said === 'passed') {
      assert.equal(out, 'passed\n');
      assert.equal(log, 'rcpt\r\nquit\r\ntcpserver: end N status 0\n');
    } else {
      assert.equal(out, `220 rblsmtpd.local\r\n${said}\r\n221 rblsmtpd.local\r\n`);
      assert.equal(log, `rblsmtpd: 127.0.0.1 pid N: ${said}\ntcpserver: end N status 0\n`);
    }
  });
}

for (const [ip, said] of [
  ['2001:db8::1', '451 six'],
  ['not-an-ip', '451 odd'],
  ['::ffff:127.0.0.1', `451 ${BLOCKED}`],
  [undefined, '451 bare zone'],
] as const) {
  test(`TCPREMOTEIP ${ip}`, async () => {
    const env = { TCPREMOTEIP: ip, DNSCACHEIP: dns.address, RBLSMTPD: undefined };
    const { stdout, stderr, code } = await run(
      OURS[0] ?? '',
      ['rblsmtpd', '-r', 'bl.test', 'echo', 'passed'],
      { env, input: 'x\n' },
    );
    assert.equal(stdout.toString(), `220 rblsmtpd.local\r\n${said}\r\n`);
    assert.match(stderr.toString(), new RegExp(`^rblsmtpd: ${ip ?? ''} pid [0-9]+: `));
    assert.equal(code, 0);
  });
}

test('the program takes over the process: pid, environment, arguments, signals, and a connection that nobody has touched', async () => {
  const script = [
    'echo "pid $$ $GREETING [$0] [$1] [$2]"',
    'grep -E "^Sig(Blk|Ign)" /proc/self/status | tr "\\n" " "',
    'cat /proc/self/fdinfo/0 /proc/self/fdinfo/1 /proc/self/fdinfo/2 | grep flags | tr "\\n" " "',
    'ls /proc/self/fd | wc -l',
    'cat',
  ].join('; ');
  const command = ['-r', 'none.test', 'sh', '-c', script, 'name', 'a b', ''];
  const env = { GREETING: 'hello', DNSCACHEIP: dns.address };
  // The original asks port 53 only, so it gets no list to ask.
  const [real, ours] = await Promise.all([
    observed([...REAL, ...command.slice(2)], env),
    observed([...OURS, ...command], env),
  ]);
  assert.deepEqual(ours, real);
  assert.match(ours, /^pid ok hello \[name\] \[a b\] \[\]\n/);
  assert.match(ours, /early words\n$/);
});

async function observed(command: readonly string[], env: Environment): Promise<string> {
  await using server = await tcpserver(command, env);
  const out = await talk(server.port, 'early words\n');
  const [, pid = ''] = await server.program.output(/tcpserver: end ([0-9]+) status/);
  return out.replace(`pid ${pid} `, 'pid ok ');
}

test('the total timer drops the client without a word', async () => {
  await using server = await tcpserver([...OURS, '-t', '1', 'true'], { RBLSMTPD: '-x' });
  assert.equal(
    await talk(server.port, 'helo x\r\nnoop\r\n', true),
    '220 rblsmtpd.local\r\n250 rblsmtpd.local\r\n250 rblsmtpd.local\r\n',
  );
  assert.match(await logOf(server), /end N status 0/);
});

test('the total timer also ends a client that sends and never reads', async () => {
  await using server = await tcpserver([...OURS, '-t', '2', 'true'], { RBLSMTPD: `-${'y'.repeat(200)}` });
  const socket: Socket = connect({ port: server.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.pause();
  socket.write('\n'.repeat(2_000_000));
  assert.match(await logOf(server), /end N status 0/);
  socket.destroy();
});

test('a client that hangs up early leaves no complaint', async () => {
  await using server = await tcpserver([...OURS, 'true'], { RBLSMTPD: '-x' });
  const socket = connect({ port: server.port, host: '127.0.0.1' });
  await once(socket, 'data');
  socket.resetAndDestroy();
  assert.equal(await logOf(server), 'rblsmtpd: 127.0.0.1 pid N: 553 x\ntcpserver: end N status 0\n');
});

test('wrong options and programs that cannot be run: words and exit code of the original', async () => {
  const folder = ROOT;
  for (const args of [
    [],
    ['-b'],
    ['-t'],
    ['-r'],
    ['-x', 'true'],
    ['-b-', 'true'],
    ['--help'],
    ['no-such-program'],
    [folder],
    ['-'],
    [''],
  ]) {
    const real = await run('rblsmtpd', args);
    const ours = await run(OURS[0] ?? '', ['rblsmtpd', ...args]);
    assert.deepEqual(
      [ours.stdout.toString(), ours.stderr.toString(), ours.code],
      [real.stdout.toString(), real.stderr.toString(), real.code],
      args.join(' '),
    );
  }
});

test('servers in DNSCACHEIP', () => {
  for (const [text, servers] of [
    ['', []],
    ['127.0.0.1', ['127.0.0.1']],
    ['127.0.0.1:5353 [::1]:53  ::1', ['127.0.0.1:5353', '[::1]:53', '::1']],
    ['127.0.0.1.127.0.0.2', ['127.0.0.1', '127.0.0.2']],
    ['localhost 127.0.0.1', ['127.0.0.1']],
    ['1.2.3.4:99999 1.2.3:53 1.2.3.4.5', []],
  ] as const) {
    assert.deepEqual(dnsCacheServers(text), servers, text);
  }
});
