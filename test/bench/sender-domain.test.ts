import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { after, before, describe, test } from 'node:test';
import { startDns } from '../../bench/dns.ts';
import type { BenchDns } from '../../bench/dns.ts';
import { messageTemplate } from '../../bench/message.ts';
import type { BodyKind } from '../../bench/message.ts';
import { senderRecords } from '../../bench/sender-domain.ts';
import { mailDkimVerify } from '../support/mail-dkim.ts';

let dns: BenchDns;
before(async () => {
  dns = await startDns(senderRecords());
});
after(() => dns.close());

function wholeMessage(size: number, kind: BodyKind, number: number): Buffer {
  const { head, body } = messageTemplate(size, kind, 'sender');
  return Buffer.concat([head(number), body.subarray(0, -3)]);
}

describe('what DNS says about the sender', () => {
  const resolver = new Resolver({ timeout: 5000, tries: 1 });
  before(() => resolver.setServers([`127.0.0.1:${dns.port}`]));

  test('its records, in any case of letters; a key of 2048 bits in two strings', async () => {
    assert.deepEqual(await resolver.resolveTxt('client.example'), [['v=spf1 ip4:198.18.0.0/15 -all']]);
    assert.deepEqual(await resolver.resolveTxt('_DMARC.Client.Example'), [['v=DMARC1; p=reject']]);
    const [key = []] = await resolver.resolveTxt('bench._domainkey.client.example');
    assert.deepEqual(
      key.map(string => string.length),
      [255, 155],
    );
    assert.equal(key.join(''), senderRecords()['bench._domainkey.client.example']);
  });

  test('no other type of them, and no other name', async () => {
    await assert.rejects(resolver.resolve4('client.example'), { code: 'ENODATA' });
    await assert.rejects(resolver.resolveTxt('example'), { code: 'ENOTFOUND' });
    await assert.rejects(resolver.resolveTxt('www.client.example'), { code: 'ENOTFOUND' });
    await assert.rejects(resolver.reverse('198.18.0.1'), { code: 'ENOTFOUND' });
  });
});

test('Mail::DKIM verifies every message of a signed template, and none of a forged one', async () => {
  const messages = [2048, 4096, 50 * 1024].flatMap(size =>
    [0, 123_456].map(number => wholeMessage(size, 'signed', number)),
  );
  const verdicts = await mailDkimVerify([...messages, wholeMessage(4096, 'forged', 1)], dns.port);
  const signatures = verdicts.map(({ signatures }) =>
    signatures.map(({ result, detail }) => [result, detail]),
  );
  const forged = signatures.pop();
  assert.deepEqual(
    signatures,
    messages.map(() => [['pass', 'pass']]),
  );
  assert.equal(forged?.length, 1);
  assert.equal(forged[0]?.[0], 'fail');
  assert.match(forged[0][1] ?? '', /body/);
});
