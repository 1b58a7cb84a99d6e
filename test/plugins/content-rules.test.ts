import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Complaints } from '../../src/control/complaints.ts';
import { parseLinePatterns } from '../../src/control/line-patterns.ts';
import { parseQuarantineEvents } from '../../src/control/quarantine-events.ts';
import { attachList } from '../../src/control/attach-list.ts';
import { address } from '../../src/model/address.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { MessageFacts } from '../../src/model/message.ts';
import type { FileName, Member, MimeFacts, MimePart } from '../../src/model/mime.ts';
import { attach } from '../../src/plugins/attach.ts';
import { events } from '../../src/plugins/events.ts';
import { mime } from '../../src/plugins/mime.ts';
import { regex } from '../../src/plugins/regex.ts';
import { CLIENT, MAIL, messageOf, rig, send } from '../pipeline/rig.ts';

const named = (text: string): FileName => ({ text, raw: text, source: 'filename' });

function part(name: string, size = 1): MimePart {
  return {
    number: 0,
    parent: null,
    place: '1',
    kind: 'leaf',
    type: 'application/octet-stream',
    types: ['application/octet-stream'],
    charset: null,
    disposition: '',
    encoding: '',
    names: name === '' ? [] : [named(name)],
    size,
    sha256: null,
    magic: null,
  };
}

const member = (name: string, more: Partial<Member> = {}): Member => ({
  part: 0,
  within: ['a.zip'],
  container: 'archive',
  names: [named(name)],
  size: 1,
  sha256: null,
  encrypted: false,
  magic: null,
  ...more,
});

const taken = (facts: Partial<MimeFacts>): MimeFacts => ({
  parts: [],
  members: [],
  anomalies: [],
  archives: [],
  ...facts,
});

const unasked = () => assert.fail('no rule about content asks for it');

async function facts(read: MessageFacts['mime'], text = MAIL): Promise<MessageFacts> {
  return {
    sessionId: 's',
    client: CLIENT,
    relayClient: false,
    startedAt: 0,
    earlyBytes: 0,
    helo: null,
    tls: null,
    sender: address('a@example.net'),
    parameters: { size: null, body: null, smtputf8: false },
    spf: unasked,
    recipients: [address('b@example.com')],
    message: await messageOf(text),
    mime: read,
    authentication: {
      dkim: unasked,
      domainKeys: unasked,
      arc: unasked,
      dmarc: unasked,
    },
    virus: unasked,
    virusInFiles: unasked,
    score: unasked,
    sign: unasked,
  };
}

function tools<S>(settings: S) {
  return {
    settings,
    origin: () => 'f:1',
    dns: undefined as never,
    now: Date.now,
    signal: new AbortController().signal,
  };
}

const eventRules = (text: string) => parseQuarantineEvents(text, 'f', new Complaints());
const hits = (findings: readonly Finding[]) => findings.filter(f => f.state === 'hit');

async function askEvents(rules: string, read: Partial<MimeFacts>, text?: string) {
  const settings = tools({ quarantineevents: eventRules(rules), headerfields: 100 });
  return hits((await events.message?.(await facts(() => taken(read), text), settings)) ?? []);
}

test('events: a finding says what matched, where, by which line, and what to tell the client', async () => {
  const [finding] = await askEvents('.exe\tSIZE=-1\tno programs\n', {
    parts: [part('a.zip')],
    members: [member('Łódź.EXE')],
  });
  assert.deepEqual(finding, {
    rule: 'QS_ATTACHMENT',
    state: 'hit',
    value: Buffer.from('łódź.exe').toString('latin1'),
    detail: '.exe SIZE=-1 matches part 1 in a.zip',
    source: 'f:1',
    text: 'no programs',
  });
});

test('events: in the order of the file, one finding a rule, at most ten', async () => {
  const rules = Array.from({ length: 30 }, (_, i) => `.*\tPolicy-Subject:\trule ${i}`).join('\n');
  const found = await askEvents(`${rules}\n`, {}, 'Subject: a\r\nSubject: b\r\n\r\n');
  assert.deepEqual(
    found.map(f => f.text),
    Array.from({ length: 10 }, (_, i) => `rule ${i}`),
  );
});

test('events: a member of unknown size matches rules for any size only', async () => {
  const unknown = { parts: [part('')], members: [member('a.exe', { size: null })] };
  assert.equal((await askEvents('.exe\tSIZE=-1\tx\n', unknown)).length, 1);
  assert.equal((await askEvents('.exe\tSIZE=<100\tx\n', unknown)).length, 0);
});

test('events: the parts are not asked for when no rule is about them', async () => {
  const settings = tools({ quarantineevents: eventRules('x\tPolicy-Subject:\tx\n'), headerfields: 100 });
  const never = await facts(() => assert.fail('asked for'));
  assert.deepEqual(hits((await events.message?.(never, settings)) ?? []), []);
});

test('events: a large header is compared with pauses, and to its end', async t => {
  const rules = Array.from({ length: 100 }, (_, i) => `(xx?|y{1,${i + 1}})+[a-c]\tPolicy-Subject:\tx`);
  const text = `${`Subject: ${'x'.repeat(8000)}\r\n`.repeat(7)}Subject: last\r\n\r\n`;
  let turns = 0;
  const ticking = setInterval(() => turns++, 0);
  t.after(() => clearInterval(ticking));
  const found = await askEvents(`${rules.join('\n')}\nlast\tVirus-Subject:\tlast\n`, {}, text);
  assert.deepEqual(
    found.map(f => f.text),
    ['last'],
  );
  assert.ok(turns > 0);
});

test('attach: names inside archives are a rule of their own, the first of each is told', async () => {
  const read = taken({
    parts: [part('a.txt'), part('b.exe'), part('c.exe')],
    members: [
      member('tnef.exe', { container: 'tnef', within: [] }),
      member('e.exe'),
      member('u.exe', { container: 'uuencode' }),
    ],
  });
  const ask = async (archives: boolean, list: readonly string[]) =>
    hits(
      (await attach.message?.(
        await facts(() => read),
        tools({ attach: attachList(list), attacharchives: archives }),
      )) ?? [],
    ).map(f => `${f.rule} ${f.text}`);
  assert.deepEqual(await ask(true, ['.exe']), ['ATTACH b.exe', 'ATTACH_ARCHIVED e.exe']);
  assert.deepEqual(await ask(false, ['.exe']), ['ATTACH b.exe']);
  assert.deepEqual(await ask(true, ['tnef.exe']), ['ATTACH tnef.exe']);
  assert.deepEqual(await ask(true, ['u.exe']), ['ATTACH_ARCHIVED u.exe']);
  assert.deepEqual(await ask(true, []), []);
});

test('attach: every reading of a name is judged', async () => {
  const list = tools({ attach: attachList(['.exe']), attacharchives: true });
  for (const name of [
    'a.EXE',
    'a.exe.',
    'a.exe ',
    'dir\\a.exe',
    'a.exe:stream',
    'a.e\u200bxe',
    'a.\uff45xe',
  ]) {
    const found = await attach.message?.(await facts(() => taken({ parts: [part(name)] })), list);
    assert.equal(hits(found ?? []).length, 1, name);
  }
});

test('mime: one finding for each oddity, with its place and how often', async () => {
  const oddity = (place: string) => ({ rule: 'MIME_NUL', place, detail: 'x' }) as const;
  const read = taken({
    anomalies: [oddity('1.1'), oddity('1.2'), { rule: 'MIME_PARTIAL', place: '1', detail: '' }],
  });
  const found = await mime.message?.(await facts(() => Promise.resolve(read)), tools({} as never));
  assert.deepEqual(
    found?.map(f => `${f.rule} ${f.detail}`),
    ['MIME_NUL part 1.1: x (and 1 more)', 'MIME_PARTIAL part 1: '],
  );
});

async function askRegex(list: string, text: string, signal?: AbortSignal) {
  const parsed = parseLinePatterns(list);
  if (!('value' in parsed)) assert.fail(parsed.wanted);
  const made = { ...tools({ regex: parsed.value }), ...(signal ? { signal } : {}) };
  return hits((await regex.message?.(await facts(() => taken({}), text), made)) ?? []);
}

test('regex: the number, the line and its number', async () => {
  const [finding] = await askRegex('aaa:mon[ae]y', 'Subject: x\r\n\r\nhello\r\nmoney now\r\n');
  assert.equal(finding?.text, '#1');
  assert.equal(finding?.value, 'money now');
  assert.equal(finding?.detail, '#1 mon[ae]y matches line 4');
});

test('regex: a long message lets others have their turn, and ends when nobody wants the answer', async t => {
  const text = `Subject: x\r\n\r\n${`${'ab '.repeat(25)}\r\n`.repeat(12_000)}`;
  let turns = 0;
  const ticking = setInterval(() => turns++, 0);
  t.after(() => clearInterval(ticking));
  assert.deepEqual(await askRegex('(a|b|c)+$:[xyz]{3}q', text), []);
  assert.ok(turns > 0);
  const stop = new AbortController();
  const asked = askRegex('(a|b|c)+$:[xyz]{3}q', text, stop.signal);
  stop.abort(new Error('gone'));
  await assert.rejects(asked, /gone/);
});

test('a message that cannot be taken apart is deferred, never clean', async t => {
  const { converse } = await rig(t, {
    control: { ssattach: '.exe' },
    plugins: [
      {
        ...attach,
        message: (given, given2) =>
          (attach.message as NonNullable<typeof attach.message>)(
            { ...given, mime: () => Promise.reject(new Error('unreadable')) },
            given2,
          ),
      },
    ],
  });
  assert.match(await send(await converse(), ['b@example.com']), /^451 /);
});
