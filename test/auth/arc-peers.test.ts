import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResolver } from '../../src/dns/resolver.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { dkimpy, mailDkim } from '../support/arc-peers.ts';
import type { ArcPeer } from '../support/arc-peers.ts';
import type { Sealer } from './arc-mail.ts';
import { MAIL, sealed, sealer, verify, zoneOf } from './arc-mail.ts';

const SEALERS: readonly Sealer[] = [
  sealer('a.example', 'rsa', 2048),
  sealer('b.example', 'rsa', 1024),
  sealer('c.example', 'rsa', 2048),
];

const server = await startDnsServer(zoneOf(...SEALERS));
const dns = createResolver({ servers: [server.address] });
test.after(async () => {
  dns.close();
  await server.close();
});

type Hop = 'we' | ArcPeer;

/** The message as it leaves a hop that verifies the chain, writes down what it found, and seals. */
async function hop(text: string, at: Hop, by: Sealer): Promise<string> {
  if (at === 'we') return sealed(text, by, dns);
  const chain = (await verify(text, dns))?.result ?? 'none';
  const authservId = `mx.${by.domain}`;
  const withResults = `Authentication-Results: ${authservId}; spf=pass smtp.mailfrom=author.example;\r\n arc=${chain}\r\n${text}`;
  const headers = await at.seal({
    message: Buffer.from(withResults, 'latin1'),
    key: by.key,
    domain: by.domain,
    selector: 's',
    authservId,
  });
  assert.notEqual(headers, '', `${at.name} seals nothing`);
  return headers + withResults;
}

const name = (at: Hop) => (at === 'we' ? 'we' : at.name);

const CHAINS: readonly (readonly Hop[])[] = [
  ['we'],
  [dkimpy],
  [mailDkim],
  ['we', 'we'],
  ['we', dkimpy],
  [dkimpy, 'we'],
  ['we', mailDkim],
  [mailDkim, 'we'],
  ['we', dkimpy, mailDkim],
  [mailDkim, 'we', dkimpy],
  [dkimpy, mailDkim, 'we'],
  ['we', 'we', 'we'],
];

for (const chain of CHAINS) {
  test(`a chain that ${chain.map(name).join(', then ')} sealed holds everywhere, and breaks everywhere`, async () => {
    let text = MAIL;
    for (const [i, at] of chain.entries()) text = await hop(text, at, SEALERS[i] as Sealer);
    const outcome = await verify(text, dns);
    assert.equal(outcome?.result, 'pass', outcome?.detail);
    assert.deepEqual(
      outcome.sets.map(set => set.sealer),
      SEALERS.slice(0, chain.length).map(one => one.domain),
    );
    for (const { results } of outcome.sets) assert.match(results, /spf=pass/);
    const changed = text.replace('Hello', 'Hallo');
    assert.equal((await verify(changed, dns))?.result, 'fail');
    const both = [text, changed].map(one => Buffer.from(one, 'latin1'));
    await Promise.all(
      [dkimpy, mailDkim].map(async peer => {
        const [whole, broken] = await peer.verify(both, server.port);
        assert.equal(whole?.result, 'pass', `${peer.name}: ${whole?.detail}`);
        assert.equal(broken?.result, 'fail', peer.name);
      }),
    );
  });
}

test('a chain that broke is sealed as failed, which dkimpy reads as the end of it', async () => {
  const broken = (await sealed(MAIL, SEALERS[0] as Sealer, dns)).replace('Hello', 'Hallo');
  const text = await sealed(broken, SEALERS[1] as Sealer, dns);
  assert.match(text, /^ARC-Seal: i=2; a=rsa-sha256; cv=fail; /);
  assert.equal((await verify(text, dns))?.result, 'fail');
  const [verdict] = await dkimpy.verify([Buffer.from(text, 'latin1')], server.port);
  assert.equal(verdict?.result, '', verdict?.detail);
});
