import { ENVELOPE } from './rig.ts';
import { frame, no, yes } from './stub-daemon.ts';
import type { Act } from './stub-daemon.ts';

/** How a daemon can fail, and the exit code that follows. */
export interface Failure {
  readonly name: string;
  readonly act: Act;
  readonly code: number;
  /** Whether POSTERN_FAIL=open lets the mail pass. */
  readonly opens?: true;
  /** The daemon speaks out of turn, which shows only while the client has much to send. */
  readonly early?: true;
}

const header = frame('H', 'X-Postern: yes\n');
const path = frame('N', '/bin/true');
const envelope = frame('R', ENVELOPE);
const end = frame('Y');
const whole = Buffer.concat([header, path, envelope, end]);

/** A daemon that says no such thing as its protocol knows; `at` the commit unless told otherwise. */
const GARBAGE: Readonly<Record<string, Buffer | readonly Buffer[]>> = {
  'an unknown frame': frame('Q'),
  'a lower-case y': frame('y'),
  'text of another protocol': Buffer.from('220 mx.example.org ESMTP\r\n'),
  zeros: Buffer.alloc(64),
  ones: Buffer.alloc(64, 0xff),
  'a yes without anything': end,
  'a yes without a path': [header, envelope, end],
  'a yes without a header block': [path, envelope, end],
  'a yes without an envelope': [header, path, end],
  'an envelope before the path': [header, envelope, path, end],
  'two header blocks': [header, header, path, envelope, end],
  'two paths': [header, path, path, envelope, end],
  'two ends': [whole, end],
  'two answers': [whole, whole],
  'a refusal behind a yes': [whole, no(31, 'Dno')],
  'a refusal within a yes': [header, path, envelope, no(31, 'Dno')],
  'an acceptance within a yes': [header, frame('A')],
  'two acceptances': [frame('A'), frame('A')],
  'an acceptance with a payload': frame('A', 'x'),
  'an end with a payload': [header, path, envelope, frame('Y', 'x')],
  'an empty path': [header, frame('N'), envelope, end],
  'a path with a NUL': [header, frame('N', '/bin/true\0'), envelope, end],
  'a path of 1001 bytes': [header, frame('N', 'x'.repeat(1001)), envelope, end],
  'a header block of 60001 bytes': [frame('H', 'x'.repeat(60_001)), path, envelope, end],
  'a header block of 4 GB': frame('H', 'X-A: b\n', 0xffffffff),
  'an envelope frame of 65537 bytes': [
    header,
    path,
    frame('R', `F${'x'.repeat(65_535)}\0`),
    frame('R', '\0'),
    end,
  ],
  'an envelope without its final NUL': [header, path, frame('R', ENVELOPE.slice(0, -1)), end],
  'an envelope with bytes behind it': [header, path, frame('R', `${ENVELOPE}Tx@example.org\0`), end],
  'an envelope with wrong letters': [header, path, frame('R', 'Fa\0Xb\0\0'), end],
  'an empty refusal': frame('X'),
  'a refusal without a letter': frame('X', '\x1f'),
  'a refusal with another letter': frame('X', '\x1fKno'),
  'a refusal with exit code 0': frame('X', '\0Dno'),
  'two refusals': [no(31, 'Dno'), no(31, 'Dno')],
  'a refusal of 65537 bytes': frame('X', `\x1fD${'x'.repeat(65_535)}`),
  'an answer to a ping': frame('P', '1'),
};

/** Where an answer can be cut or stop: within a head, between frames, within each payload, before the end. */
const PLACES: readonly number[] = [
  1,
  4,
  5,
  10,
  header.length,
  header.length + 7,
  header.length + path.length,
  header.length + path.length + 9,
  whole.length - end.length,
  whole.length - 1,
];

function garbage(): Failure[] {
  return Object.entries(GARBAGE).map(([name, bytes]) => ({
    name,
    act: { bytes: Buffer.isBuffer(bytes) ? bytes : Buffer.concat(bytes), stay: true },
    code: 74,
  }));
}

function halves(): Failure[] {
  return PLACES.flatMap((size): Failure[] => [
    { name: `closes after ${size} bytes of a yes`, act: { bytes: whole.subarray(0, size) }, code: 74 },
    {
      name: `hangs after ${size} bytes of a yes`,
      act: { bytes: whole.subarray(0, size), stay: true },
      code: 72,
    },
  ]);
}

/** Everything that a daemon can do wrong once it has taken the connection. */
export const FAILURES: readonly Failure[] = [
  { name: 'closes at once', act: { at: 'connect' }, code: 74, opens: true },
  { name: 'resets at once', act: { at: 'connect', reset: true, deaf: true }, code: 74, opens: true },
  { name: 'closes after the version', act: { at: 'V' }, code: 74, opens: true },
  { name: 'closes after a piece of the message', act: { at: 'M', reset: true }, code: 74, opens: true },
  { name: 'closes after the message', act: { at: 'm', reset: true }, code: 74, opens: true },
  { name: 'closes after the envelope', act: { at: 'R' }, code: 74, opens: true },
  { name: 'closes after the commit', act: {}, code: 74, opens: true },
  { name: 'resets after the commit', act: { reset: true }, code: 74, opens: true },
  { name: 'reads nothing and hangs', act: { at: 'connect', deaf: true, stay: true }, code: 72, opens: true },
  { name: 'hangs after the message', act: { at: 'm', deaf: true, stay: true }, code: 72, opens: true },
  { name: 'hangs after the commit', act: { stay: true }, code: 72, opens: true },
  {
    name: 'says yes before it was asked',
    act: { at: 'connect', bytes: yes('/bin/true', ENVELOPE), stay: true },
    code: 74,
    early: true,
  },
  {
    name: 'accepts before it was asked',
    act: { at: 'M', bytes: frame('A'), stay: true },
    code: 74,
    early: true,
  },
  { name: 'accepts at once and closes', act: { at: 'connect', bytes: frame('A') }, code: 74, early: true },
  ...halves(),
  ...garbage(),
];
