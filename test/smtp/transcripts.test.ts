import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { HopScript, HopTransaction } from '../pipeline/rig.ts';
import { ROOT, waitFor } from '../support/processes.ts';
import { Dialogue } from './dialogue.ts';
import { listening } from './listening.ts';
import type { Transcript } from './transcript.ts';
import { matches, parseTranscript } from './transcript.ts';

const FOLDER = join(ROOT, 'test/transcripts');

/** The next hop of every transcript: it knows everybody but `unknown`, and is out of room for `full`. */
const HOP: HopScript = {
  rcpt: who => (who.startsWith('unknown@') ? 'refused' : who.startsWith('full@') ? 'failed' : 'accepted'),
};

for (const file of readdirSync(FOLDER).filter(name => name.endsWith('.txt'))) {
  const transcript = parseTranscript(readFileSync(join(FOLDER, file), 'latin1'), `test/transcripts/${file}`);
  test(file.replace('.txt', ''), t => play(t, transcript));
}

async function play(t: TestContext, transcript: Transcript): Promise<void> {
  const { port, records, hops, problems } = await listening(t, {
    control: transcript.control,
    hops: { 'example.com': HOP },
  });
  const client = await Dialogue.open(port);
  t.after(() => client.destroy());
  const wanted: string[] = [];
  const seen: string[] = [];
  let closed = false;
  for (const step of transcript.steps) {
    if (step.kind === 'client') {
      client.write(step.bytes);
      wanted.push(...step.shown);
      seen.push(...step.shown);
    } else if (step.kind === 'server') {
      const said = await client.line();
      wanted.push(`S: ${step.line}`);
      seen.push(said === null ? 'closed' : `S: ${matches(step.line, said) ? step.line : said}`);
      if (said === null) break;
    } else {
      await client.end();
      closed = true;
    }
  }
  assert.deepEqual(seen, wanted);
  if (!closed) {
    // Nothing more was said than the transcript has.
    assert.match(await client.ask('QUIT'), /^221 [^\r\n]*$/);
    await client.end();
  }
  assert.equal(client.received, '');
  assert.deepEqual(problems, []);
  const { records: events, delivered } = transcript;
  if (events !== null) {
    await waitFor('the records', () => records.length >= events.length);
    assert.deepEqual(
      records.map(record => `${record.event} ${record.rule ?? '-'}`),
      events,
    );
  }
  if (delivered !== null) assert.deepEqual(hops.flatMap(mailOf), delivered);
}

function mailOf({ sender, recipients, text }: HopTransaction): string[] {
  if (text === null) return [];
  const body = text.slice(text.indexOf('-0000\r\n') + 7);
  return [escaped(`${sender ?? '<>'} > ${recipients.join()} : ${body}`)];
}

/** As the transcripts write bytes. */
function escaped(bytes: string): string {
  return bytes
    .replaceAll('\r', '\\r')
    .replaceAll('\n', '\\n')
    .replace(/[^\x20-\x7e]/g, char => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
