import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { sendLoad } from '../../bench/generator.ts';
import type { Load, LoadResult } from '../../bench/generator.ts';
import { clientAddress } from '../../bench/gateways/proxy.ts';
import { BODY_KINDS, LEAST_SIZE, MARKER_FIELD, hashOf, messageTemplate } from '../../bench/message.ts';
import { startSink } from '../../bench/sink.ts';
import { startSmtpSink } from '../support/peers.ts';
import { freePort } from '../support/processes.ts';
import { CLOSE, HANG, scriptedServer } from '../support/scripted-server.ts';
import type { Script, ScriptOptions } from '../support/scripted-server.ts';

function load(port: number, more: Partial<Load> = {}): Promise<LoadResult> {
  return sendLoad({
    target: { host: '127.0.0.1', port },
    message: messageTemplate(1500, 'text', 'test'),
    messages: 6,
    connections: 'fresh',
    deadline: 10_000,
    ...more,
  });
}

function counts({ accepted, refused, failed }: LoadResult): readonly [number, number, number] {
  return [accepted, refused, failed];
}

describe('messageTemplate', () => {
  for (const kind of BODY_KINDS) {
    test(`${kind}: the asked size to the byte, in whole lines`, () => {
      const least = LEAST_SIZE[kind];
      for (let size = least; size < least + 160; size++) {
        const message = messageTemplate(size, kind, 'size');
        const wire = message.body.toString('latin1');
        assert.ok(wire.endsWith('\r\n.\r\n'));
        const body = wire.slice(0, -3).replaceAll(/(?<=^|\r\n)\./g, '');
        assert.equal(message.head(7).length + body.length, size);
        assert.equal(hashOf(Buffer.from(body, 'latin1')), message.bodyHash);
        assert.doesNotMatch(body, /(?<!\r)\n|\r(?!\n)/);
        assert.ok(body.split('\r\n').every(line => line.length <= 78));
        assert.equal(wire.indexOf('\r\n.\r\n'), wire.length - 5, 'the end of DATA comes but once');
      }
    });
  }

  test('dots are lines of one dot', () => {
    const { body, head } = messageTemplate(4096, 'dots', 'x');
    const lines = body.toString('latin1').split('\r\n');
    assert.ok(lines.filter(line => line === '..').length >= (4096 - head(0).length) / 3 - 2);
  });

  test('every message has a marker of its own and the same length', () => {
    const { head, marker } = messageTemplate(4096, 'text', 'series');
    assert.notEqual(marker(1), marker(12));
    assert.equal(head(1).length, head(123_456).length);
    assert.ok(
      head(12)
        .toString()
        .includes(`\r\n${MARKER_FIELD}: ${marker(12)}\r\n\r\n`),
    );
  });

  test('a size without room for the header block is a mistake', () => {
    for (const kind of BODY_KINDS)
      assert.throws(() => messageTemplate(LEAST_SIZE[kind] - 1, kind, 'x'), RangeError);
  });
});

describe('to our own sink', () => {
  for (const kind of BODY_KINDS) {
    for (const connections of ['fresh', 'kept'] as const) {
      test(`${kind}, ${connections}: every message arrives once and whole`, async () => {
        const sink = await startSink({ hashBodies: true });
        const message = messageTemplate(300_001, kind, 'own');
        const result = await load(sink.port, { message, messages: 20, connections, clients: 4 });
        assert.deepEqual(counts(result), [20, 0, 0]);
        assert.equal(sink.messages, 20);
        assert.deepEqual([...sink.markers.keys()].toSorted(), result.acceptedMarkers.toSorted());
        assert.ok([...sink.markers.values()].every(times => times === 1));
        assert.ok([...sink.bodyHashes.values()].every(hash => hash === message.bodyHash));
        assert.equal(sink.bodyHashes.size, 20);
        await sink.close();
      });
    }
  }

  test('at a rate, with as many connections as messages', async () => {
    const sink = await startSink();
    const result = await load(sink.port, { messages: 40, rate: 400 });
    assert.deepEqual(counts(result), [40, 0, 0]);
    assert.equal(sink.markers.size, 40);
    const { p50, p90, p99, max } = result.latency ?? { p50: NaN, p90: NaN, p99: NaN, max: NaN };
    assert.ok(p50 > 0 && p50 <= p90 && p90 <= p99 && p99 <= max);
    await sink.close();
  });

  test('the sink finds the end of DATA in single bytes too', async () => {
    const sink = await startSink({ hashBodies: true });
    const socket = connect({ host: '127.0.0.1', port: sink.port, noDelay: true });
    const dialogue = `EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n${MARKER_FIELD}: no\r\n${MARKER_FIELD}: one\r\n\r\n..\r\n.\r\nQUIT\r\n`;
    for (const byte of dialogue) {
      await new Promise(sent => socket.write(byte, () => setImmediate(sent)));
    }
    await new Promise(closed => socket.on('close', closed).resume());
    assert.equal(sink.messages, 1);
    assert.deepEqual([...sink.bodyHashes.values()], [hashOf(Buffer.from('.\r\n'))]);
    await sink.close();
  });
});

describe('to smtp-sink', () => {
  for (const args of [[], ['-p']] as const) {
    for (const connections of ['fresh', 'kept'] as const) {
      test(`${args.length > 0 ? 'without' : 'with'} PIPELINING, ${connections}: counts and bodies agree`, async () => {
        await using sink = await startSmtpSink({ args: [...args] });
        for (const kind of BODY_KINDS) {
          const message = messageTemplate(20_000, kind, `sink-${kind}`);
          const result = await load(sink.port, { message, messages: 10, connections, clients: 2 });
          assert.deepEqual(counts(result), [10, 0, 0]);
        }
        const mails = await sink.mails();
        assert.equal(mails.length, 10 * BODY_KINDS.length);
        const seen = mails.map(({ message: bytes }) => {
          const text = bytes.toString('latin1').replaceAll(/\r?\n/g, '\r\n');
          const empty = text.indexOf('\r\n\r\n');
          const marker = new RegExp(`^${MARKER_FIELD}: (.*)\r$`, 'm').exec(text)?.[1] ?? '';
          const kind = BODY_KINDS.find(each => marker.startsWith(`sink-${each}-0`)) ?? 'text';
          const { bodyHash, size, head } = messageTemplate(20_000, kind, `sink-${kind}`);
          // smtp-sink ends its file with a line end of its own.
          const body = text.slice(empty + 4, empty + 4 + size - head(0).length);
          assert.equal(hashOf(Buffer.from(body, 'latin1')), bodyHash);
          return marker;
        });
        assert.equal(new Set(seen).size, 10 * BODY_KINDS.length);
      });
    }
  }
});

describe('what a server can do to us', () => {
  const cases: readonly {
    what: string;
    script: Script;
    want: readonly [accepted: number, refused: number, failed: number];
    options?: ScriptOptions;
    load?: Partial<Load>;
  }[] = [
    { what: 'no banner but a refusal', script: { CONNECT: '554 5.7.1 no' }, want: [0, 6, 0] },
    {
      what: 'a refused recipient, now and then',
      script: { RCPT: ['550 5.1.1 no', '250 ok'], DATA: ['503 5.5.1 no', '354 go'] },
      want: [5, 1, 0],
    },
    {
      what: '354 in spite of a refused recipient',
      script: { RCPT: ['550 5.1.1 no', '250 ok'], '.': ['554 5.5.1 none', '250 ok'] },
      want: [5, 1, 0],
    },
    { what: 'a refusal at DATA', script: { DATA: '451 4.3.0 later' }, want: [0, 6, 0] },
    { what: 'a refusal after the dot', script: { '.': ['552 5.3.4 big', '250 ok'] }, want: [5, 1, 0] },
    {
      what: '421 and the end',
      script: { MAIL: [{ say: '421 4.7.0 bye', next: 'close' }, '250 ok'] },
      want: [5, 1, 0],
    },
    { what: 'no EHLO', script: { EHLO: '502 5.5.2 no' }, want: [0, 6, 0] },
    { what: 'an end without a word at DATA', script: { DATA: [CLOSE, '354 go'] }, want: [5, 0, 1] },
    { what: 'an end without a word after the dot', script: { '.': [CLOSE, '250 ok'] }, want: [5, 0, 1] },
    { what: 'no word at QUIT', script: { QUIT: CLOSE }, want: [6, 0, 0] },
    { what: 'something that is no SMTP', script: { CONNECT: 'HTTP/1.1 400 Bad Request' }, want: [0, 0, 6] },
    { what: 'replies byte by byte', script: {}, options: { byteWise: true }, want: [6, 0, 0] },
    { what: 'a reply without an end', script: { CONNECT: { raw: '2'.repeat(100_000) } }, want: [0, 0, 6] },
    { what: 'silence', script: { CONNECT: HANG }, load: { messages: 1, deadline: 300 }, want: [0, 0, 1] },
    {
      what: 'silence after the dot',
      script: { '.': HANG },
      load: { messages: 1, deadline: 300 },
      want: [0, 0, 1],
    },
  ];
  for (const { what, script, want, options, load: more } of cases) {
    for (const connections of ['fresh', 'kept'] as const) {
      test(`${what}, ${connections}`, async () => {
        const server = await scriptedServer(script, options);
        const outcomes: string[] = [];
        const onOutcome: Load['onOutcome'] = outcome => void outcomes.push(outcome);
        const result = await load(server.port, { connections, onOutcome, ...more });
        assert.deepEqual(counts(result), want, JSON.stringify(result.reasons));
        assert.equal(outcomes.length, want[0] + want[1] + want[2]);
        assert.equal(new Set(result.acceptedMarkers).size, result.accepted);
        await server.stop();
      });
    }
  }

  test('nobody there', async () => {
    const result = await load(await freePort(), { messages: 2 });
    assert.deepEqual(counts(result), [0, 0, 2]);
    assert.equal(result.latency, null);
    assert.match(Object.keys(result.reasons).join(), /ECONNREFUSED/);
  });
});

describe('how commands go out', () => {
  test('in one write where PIPELINING is offered, one by one where not', async () => {
    const one = await scriptedServer({}, { offers: ['PIPELINING'] });
    await load(one.port, { messages: 1 });
    assert.ok(one.reads.some(read => /^MAIL .*\r\nRCPT .*\r\nDATA\r\n$/.test(read)));
    await one.stop();
    const other = await scriptedServer({}, { offers: ['SIZE'] });
    await load(other.port, { messages: 1 });
    assert.ok(other.reads.includes('DATA\r\n'));
    await other.stop();
  });

  test('one connection for all, or one for each', async () => {
    const server = await scriptedServer();
    await load(server.port, { connections: 'kept' });
    assert.equal(server.connections, 1);
    await load(server.port, { connections: 'fresh' });
    assert.equal(server.connections, 7);
    assert.equal(server.commands.filter(line => line === 'QUIT').length, 7);
    await server.stop();
  });

  test('a PROXY header first, from a new client each time', async () => {
    const server = await scriptedServer({ PROX: '220 there you are', CONNECT: [] });
    await load(server.port, { messages: 2, proxyFrom: clientAddress });
    const proxies = server.commands.filter(line => line.startsWith('PROXY '));
    assert.deepEqual(
      proxies.map(line => line.split(' ')[2]),
      [clientAddress(0), clientAddress(1)],
    );
    await server.stop();
  });
});
