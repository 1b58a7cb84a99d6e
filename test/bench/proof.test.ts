import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { GatewayKind } from '../../bench/gateways/gateway.ts';
import { DUTIES, NOBODY_STANDS_BEHIND } from '../../bench/gateways/gateway.ts';
import { fieldWords, proveWork } from '../../bench/proof.ts';
import { temporaryFolder } from '../../bench/processes.ts';
import { CLOSE, scriptedServer } from '../support/scripted-server.ts';
import type { Script } from '../support/scripted-server.ts';

/** What is found with a gateway that answers by `script` and, started again, passes mail as it is. */
async function prove(
  script: Script,
  more: Partial<GatewayKind>,
): Promise<{ readonly problems: readonly string[]; readonly commands: readonly string[] }> {
  const server = await scriptedServer(script);
  const folder = temporaryFolder('test');
  const kind: GatewayKind = {
    key: 'it',
    name: 'It',
    duty: 'relay',
    proxied: false,
    refuses: [],
    unavailable: () => Promise.resolve(null),
    start: ({ sinkPort }) => Promise.resolve({ port: sinkPort, program: null }),
    ...more,
  };
  const peers = { dnsPort: 53, clamd: join(folder, 'clamd'), spamd: join(folder, 'spamd') };
  const problems: string[] = [];
  try {
    await proveWork({ gateway: { port: server.port, program: null }, kind, problems }, peers, folder);
    return { problems, commands: server.commands };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

test('what is forbidden has to be refused, and with the right reply', async () => {
  const refuses = [NOBODY_STANDS_BEHIND];
  const right = await prove({ '.': '550 5.7.26 nobody stands behind it' }, { refuses });
  assert.deepEqual(right.problems, []);
  assert.ok(right.commands.includes('MAIL FROM:<bounces@elsewhere.example>'));
  const taken = await prove({}, { refuses });
  assert.equal(taken.problems.length, 1);
  assert.match(taken.problems[0] ?? '', /^It: did not refuse a forged message/);
  const other = await prove({ '.': '552 5.3.4 too big' }, { refuses });
  assert.equal(other.problems.length, 1);
  assert.match(
    other.problems[0] ?? '',
    /^It: refused a forged message .* for another reason: 552 5.3.4 too big$/,
  );
});

test('mail that SPF fails comes from a client of its own, and no answer is no refusal', async () => {
  const { problems, commands } = await prove(
    { PROX: CLOSE },
    { proxied: true, refuses: DUTIES.auth.refuses },
  );
  assert.match(commands[0] ?? '', /^PROXY TCP4 100\.64\.0\.9 /);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^It: did not refuse mail of a client that SPF does not name/);
});

test('a gateway that says nothing about the mail it passes is found out', async () => {
  const { problems } = await prove({}, { duty: 'auth' });
  assert.deepEqual(problems, [
    'It: no spf=pass in Authentication-Results: none',
    'It: no dkim=pass in Authentication-Results: none',
  ]);
});

test('gateways with scanners have to refuse EICAR and GTUBE, and to mark what they pass', async () => {
  const { refuses } = DUTIES.scan;
  const both = await prove({}, { duty: 'scan', refuses });
  assert.deepEqual(
    both.problems.map(problem => problem.split(' (')[0]),
    [
      'It: did not refuse EICAR',
      'It: did not refuse GTUBE',
      'It: no No in X-Spam-Status: none',
      'It: no required=5.0 in X-Spam-Status: none',
    ],
  );
  const other = await prove({ '.': '550 5.7.1 no such user' }, { refuses });
  assert.match(other.problems[0] ?? '', /^It: refused EICAR for another reason: 550 5.7.1 no such user$/);
});

test('the words of a field, its folds undone', () => {
  const header =
    'Received: x\r\n\tby y\r\nAuthentication-Results: me;\r\n\tspf=pass smtp.mailfrom=a.example;\r\n dkim=pass\r\nTo: z dkim=fail';
  assert.deepEqual(fieldWords(header, 'authentication-results'), [
    'me',
    'spf=pass',
    'smtp.mailfrom=a.example',
    'dkim=pass',
  ]);
  assert.deepEqual(fieldWords('X-Spam-Status: No, score=1.2', 'X-Spam-Status'), ['No', 'score=1.2']);
  assert.equal(fieldWords('To: dkim=pass', 'Authentication-Results'), null);
});
