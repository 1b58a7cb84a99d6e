import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import { startRecordingSink } from '../support/recording-sink.ts';
import type { RecordingSink } from '../support/recording-sink.ts';
import { bytesOf, fail, pass, passedOver, shown } from './outcome.ts';
import type { Outcome, Suite } from './outcome.ts';
import { SmtpTalk } from './smtp-talk.ts';

interface Step {
  /** null: only read. */
  readonly send: string | null;
  /** Expression on the last line of the last reply; with `many`, on all replies to this step. */
  readonly expect: string;
  readonly many?: boolean;
  /** Sent before the greeting was read: the first reply is what counts. */
  readonly early?: boolean;
}

/** A session of smtp/sessions.json, and what has to be at the next hop afterwards. */
interface Session {
  readonly id: string;
  readonly steps: readonly Step[];
  readonly delivered?: number;
  readonly minDelivered?: number;
  readonly maxDelivered?: number;
  readonly notSender?: string;
  readonly contains?: string;
  readonly noBareSequence?: string;
  readonly needs?: string;
  readonly unless?: string;
  readonly mayClose?: boolean;
  /** Why another answer would be defensible. */
  readonly soft?: string;
}

/** What `{D}` stands for. */
const DOMAIN = 'accepted.example';
/** For a reply that must come. Milliseconds. */
const PATIENCE = 20_000;
/** After so long without a byte, a server that owes an unknown number of replies has said all. Milliseconds. */
const SILENCE = 400;

/** Every session against `postern serve` with its defaults, in front of a hop that records what arrives. */
export const sessions: Suite = {
  file: 'smtp/sessions.json',
  async run(content, wanted) {
    await using sink = await startRecordingSink();
    await using gateway = await startGateway({
      rcpthosts: `${DOMAIN}\n`,
      smtproutes: `:[127.0.0.1]:${sink.port}\n`,
    });
    const keywords = await ehloKeywords(gateway.port);
    const outcomes: Outcome[] = [];
    for (const session of content as readonly Session[]) {
      if (!wanted(session.id)) continue;
      const outcome = notApplicable(session, keywords) ?? (await play(session, gateway.port, sink));
      outcomes.push(
        outcome.verdict === 'fail' && session.soft !== undefined
          ? { ...outcome, verdict: 'noted', detail: `${outcome.detail} (soft: ${session.soft})` }
          : outcome,
      );
    }
    return outcomes;
  },
};

function notApplicable({ id, needs, unless }: Session, keywords: ReadonlySet<string>): Outcome | null {
  if (needs !== undefined && !keywords.has(needs.toUpperCase()))
    return passedOver(id, `EHLO does not offer ${needs}`);
  if (unless !== undefined && keywords.has(unless.toUpperCase()))
    return passedOver(id, `EHLO offers ${unless}`);
  return null;
}

async function ehloKeywords(port: number): Promise<ReadonlySet<string>> {
  await using talk = new SmtpTalk(port);
  await talk.reply(PATIENCE);
  talk.say(Buffer.from('EHLO client.example\r\n'));
  const lines = ((await talk.reply(PATIENCE)) ?? '').split('\n').slice(1);
  return new Set(lines.map(line => line.slice(4).split(' ')[0]?.toUpperCase() ?? ''));
}

async function play(session: Session, port: number, sink: RecordingSink): Promise<Outcome> {
  sink.clear();
  const dialogue = await speak(session, port);
  // What the gateway was still passing on when we hung up is given up or completed first.
  await waitFor('the next hop to be at rest', () => sink.openTransactions === 0);
  const wrong = dialogue.wrong ?? arrived(session, sink, dialogue.accepted);
  if (wrong !== null) return wrong;
  return (await answers(port))
    ? pass(session.id)
    : fail(session.id, 'the server afterwards', 'an answer', 'none');
}

interface Dialogue {
  readonly wrong: Outcome | null;
  /** Whether an end of data was answered with 2xx. */
  readonly accepted: boolean;
}

async function speak({ id, steps, mayClose }: Session, port: number): Promise<Dialogue> {
  await using talk = new SmtpTalk(port);
  let inData = false;
  let accepted = false;
  for (const [number, step] of steps.entries()) {
    const text = step.send?.replaceAll('{D}', DOMAIN) ?? null;
    if (text !== null) talk.say(bytesOf(text));
    const replies = await repliesTo(talk, step, text, inData);
    if (inData) accepted ||= replies.some(reply => reply.startsWith('2'));
    inData = replies.at(-1)?.startsWith('354') === true;
    if (replies.length === 0 && talk.ended && mayClose === true) break;
    const said = step.many === true ? replies.join('\n') : replies.at(-1)?.split('\n').at(-1);
    if (said === undefined || replies.length === 0 || !expression(step.expect).test(said)) {
      const came = replies.length > 0 ? said : talk.ended ? 'the end of the connection' : 'nothing';
      return {
        wrong: fail(id, `step ${number + 1}, ${shown(text)}`, expression(step.expect), came),
        accepted,
      };
    }
  }
  return { wrong: null, accepted };
}

async function repliesTo(
  talk: SmtpTalk,
  step: Step,
  text: string | null,
  inData: boolean,
): Promise<string[]> {
  if (step.many === true) {
    await talk.until(() => talk.waiting.length > 0, PATIENCE);
    await talk.until(() => false, SILENCE);
    return talk.waiting.splice(0);
  }
  const wanted = step.early === true || text === null ? 1 : repliesOwed(text, inData);
  const replies: string[] = [];
  while (replies.length < wanted) {
    const reply = await talk.reply(replies.length === 0 ? PATIENCE : SILENCE);
    if (reply === null) break;
    replies.push(reply);
  }
  return replies;
}

/** Replies that a group of commands is owed: one a line, and one for all that stands between DATA and the final dot. */
function repliesOwed(text: string, inData: boolean): number {
  const lines = text.split('\r\n').slice(0, -1);
  let owed = 0;
  let data = inData;
  for (const line of lines) {
    if (!data) owed++;
    else if (line === '.') {
      owed++;
      data = false;
      continue;
    }
    data ||= /^data\s*$/i.test(line);
  }
  return Math.max(1, owed);
}

/** Flags that Python takes at the beginning of an expression belong behind it here. */
function expression(source: string): RegExp {
  const [whole = '', flags = ''] = /^\(\?([ims]+)\)/.exec(source) ?? [];
  return new RegExp(source.slice(whole.length), flags);
}

function arrived(session: Session, sink: RecordingSink, accepted: boolean): Outcome | null {
  const { id, delivered, minDelivered, maxDelivered, notSender, contains, noBareSequence } = session;
  const { messages } = sink;
  const count = messages.length;
  if (delivered !== undefined && count !== delivered)
    return fail(id, 'messages at the next hop', delivered, count);
  if (minDelivered !== undefined && count < minDelivered)
    return fail(id, 'messages at the next hop', `at least ${minDelivered}`, count);
  if (maxDelivered !== undefined && count > maxDelivered)
    return fail(id, 'messages at the next hop', `at most ${maxDelivered}`, count);
  if (accepted && count === 0)
    return fail(id, 'messages at the next hop', 'what was answered with 250', 'none');
  const senders = messages.map(message => message.sender.toLowerCase());
  const forbidden = notSender?.replaceAll('{D}', DOMAIN).toLowerCase();
  if (forbidden !== undefined && senders.includes(forbidden))
    return fail(id, 'senders at the next hop', `not ${forbidden}`, senders);
  const text = contains === undefined ? null : bytesOf(contains.replaceAll('{D}', DOMAIN));
  const [first] = messages;
  if (text !== null && first !== undefined && first.bytes?.includes(text) !== true)
    return fail(id, 'first message', `with ${shown(contains)}`, first.bytes?.toString('latin1'));
  const odd = noBareSequence === undefined ? null : bytesOf(noBareSequence.replaceAll('{D}', DOMAIN));
  // As it came over the wire: a hop that takes the sequence for an end of data would have seen one.
  const passedOn = odd === null ? undefined : messages.find(message => message.wire?.includes(odd) === true);
  if (passedOn !== undefined)
    return fail(
      id,
      'bytes at the next hop',
      `without ${shown(noBareSequence)}`,
      passedOn.wire?.toString('latin1'),
    );
  return null;
}

/** A new client is greeted, has its QUIT answered once, and sees the connection closed. */
async function answers(port: number): Promise<boolean> {
  await using talk = new SmtpTalk(port);
  const greeting = await talk.reply(PATIENCE);
  talk.say(Buffer.from('QUIT\r\n'));
  const bye = await talk.reply(PATIENCE);
  await talk.until(() => talk.waiting.length > 0, PATIENCE);
  const asItShould = greeting?.startsWith('220') === true && bye?.startsWith('221') === true;
  return asItShould && talk.ended && talk.waiting.length === 0;
}
