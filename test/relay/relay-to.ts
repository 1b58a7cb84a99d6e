import type { TestContext } from 'node:test';
import type { Route } from '../../src/control/routes.ts';
import { address } from '../../src/model/address.ts';
import type { Delivery, DeliveryEnvelope, HopAnswer } from '../../src/model/delivery.ts';
import { createRelay } from '../../src/relay/router.ts';
import type { Relay, RelayOptions } from '../../src/relay/router.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import type { Script, ScriptedServer, ScriptOptions } from '../support/scripted-server.ts';
import { envelopeOf } from './messages.ts';
import { dnsOf } from './zone.ts';

export const ADDED = Buffer.from('Received: from test\r\n');
export const BODY = 'Subject: hello\r\n\r\nhello\r\n';

/** A relay with one route, closed at the end of the test. */
export function relayTo(
  t: TestContext,
  route: Route,
  options: Partial<RelayOptions> = {},
): { relay: Relay; open: (envelope?: DeliveryEnvelope) => Delivery } {
  const relay = createRelay({ dns: dnsOf({}), ourName: 'gate.example', ...options });
  t.after(() => relay.close());
  const router = relay.router(() => route);
  const hop = router.route(address('any@example.com'));
  return { relay, open: (envelope = envelopeOf('s@example.net')) => hop.open(envelope) };
}

/** A scripted hop and a relay to it; both end with the test. */
export async function scriptedHop(
  t: TestContext,
  script: Script = {},
  serverOptions: ScriptOptions = {},
  options: Partial<RelayOptions> = {},
): Promise<{ server: ScriptedServer; relay: Relay; open: (envelope?: DeliveryEnvelope) => Delivery }> {
  const server = await scriptedServer(script, serverOptions);
  t.after(() => server.stop());
  const kind = serverOptions.protocol ?? 'smtp';
  const route: Route =
    server.path === null
      ? { kind, host: '127.0.0.1', port: server.port, tls: 'off', place: 'test' }
      : { kind: 'lmtp', path: server.path, place: 'test' };
  return { server, ...relayTo(t, route, options) };
}

/** An answer in one line: `accepted 250 2.1.5 ok`. */
export function shown(answer: HopAnswer): string {
  return [answer.kind, answer.reply.code, answer.reply.enhanced, answer.reply.lines.join(' | ')].join(' ');
}

/** Asks for recipients `a@example.com`, ... and shows the answers. */
export async function ask(delivery: Delivery, ...locals: readonly string[]): Promise<string[]> {
  const answers: string[] = [];
  for (const local of locals)
    answers.push(shown(await delivery.addRecipient(address(`${local}@example.com`))));
  return answers;
}
