import assert from 'node:assert/strict';
import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { test } from 'node:test';
import { relaxedField } from '../../src/auth/signed-header.ts';
import { MAIL, namesOf, newSet, sealed, sealer, verify } from './arc-mail.ts';
import { dnsOf } from './asking.ts';

const [A, B] = [sealer('a.example', 'rsa', 2048), sealer('b.example', 'ed25519')];
const dns = dnsOf(namesOf(A, B));
const ONE = await sealed(MAIL, A, dns);

/** The fields of a set, without their final CRLFs. */
const fieldsOf = (set: string) => set.split(/\r\n(?![ \t])/).slice(0, -1);

test('a set: seal, message signature and results, folded, and nothing signed that others take away', async () => {
  const set = await newSet(MAIL, A, dns, 'spf=pass smtp.mailfrom=author.example; dkim=pass; dmarc=pass');
  const [seal = '', message = '', results = '', ...more] = fieldsOf(set);
  assert.deepEqual(more, []);
  assert.match(
    seal.replace(/\r\n[ \t]/g, ''),
    /^ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a\.example; s=s; ?t=1700000000;b=[A-Za-z0-9+/ ]+==$/,
  );
  const h = /;\r\n\th=([^;]*);/.exec(message)?.[1]?.replace(/\s/g, '');
  assert.equal(h, 'from:from:subject:date:message-id:to:mime-version:content-type:dkim-signature');
  assert.match(
    message,
    /^ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed\/relaxed; d=a\.example;\r\n\ts=s; /,
  );
  assert.equal(
    results,
    'ARC-Authentication-Results: i=1; mx.a.example;\r\n\tspf=pass smtp.mailfrom=author.example;\r\n\tdkim=pass;\r\n\tdmarc=pass',
  );
  for (const line of set.split('\r\n')) assert.ok(line.length <= 78, line);
});

test('results that were not found, and results without end', async () => {
  assert.match(await newSet(MAIL, A, dns, ''), /Results: i=1; mx\.a\.example;\r\n\tnone\r\n$/);
  const long = `dkim=pass (${'a comment '.repeat(30)}) header.d=x.example`;
  const set = await newSet(MAIL, A, dns, long);
  for (const line of set.split('\r\n')) assert.ok(line.length <= 78, line);
  assert.equal((await verify(set + MAIL, dns))?.result, 'pass');
  assert.equal(
    (await verify(set + MAIL, dns))?.sets[0]?.results.replace(/\s+/g, ' '),
    `mx.a.example; ${long}`,
  );
});

test('the seal breaks with what it covers; signatures and results on top of it do no harm', async () => {
  assert.equal((await verify(ONE.replace('Subject:', 'From: x@y.example\r\nSubject:'), dns))?.result, 'fail');
  assert.equal((await verify(ONE.replace('h=from; bh=AAAA', 'h=from; bh=BBBB'), dns))?.result, 'fail');
  assert.equal((await verify(`DKIM-Signature: v=1\r\nReceived: by x\r\n${ONE}`, dns))?.result, 'pass');
  assert.equal((await verify(`Authentication-Results: x; none\r\n${ONE}`, dns))?.result, 'pass');
});

test('messages without a body, a header or anything are sealed so that the seal holds', async () => {
  const odd = ['', '\r\n', '\r\nbody\r\n', 'From: a@b.example\r\n\r\n', 'From: a@b.example', 'x\r\n\r\n'];
  for (const text of odd)
    assert.equal((await verify(await sealed(text, A, dns), dns))?.result, 'pass', JSON.stringify(text));
});

test('a chain that failed is sealed with cv=fail, which covers its own set alone', async () => {
  const set = await newSet(ONE.replace('Hello', 'Hallo'), A, dns, 'arc=fail');
  const [seal = '', message = '', results = ''] = fieldsOf(set);
  assert.match(seal, /^ARC-Seal: i=2; a=rsa-sha256; cv=fail; /);
  const [bare = '', signature = ''] = seal.split(/(?<=\bb=)/);
  const covered = [results, message, bare].map(relaxedField).join('\r\n');
  const key = createPublicKey(A.key);
  assert.ok(verifySignature('sha256', Buffer.from(covered), key, Buffer.from(signature, 'base64')));
});

test('what cannot be read of a chain does not keep it from being sealed as failed', async () => {
  const without = ONE.replace(/^ARC-Seal: .*\r\n(?:[ \t].*\r\n)*/m, '');
  assert.match(await newSet(without, A, dns, ''), /^ARC-Seal: i=2; a=rsa-sha256; cv=fail; /);
  assert.match(
    await newSet(`ARC-Seal: nonsense\r\n${MAIL}`, A, dns, ''),
    /^ARC-Seal: i=1; a=rsa-sha256; cv=fail; /,
  );
  const seventh = ONE.replace('ARC-Seal: i=1', 'ARC-Seal: i=7');
  assert.match(await newSet(seventh, A, dns, ''), /^ARC-Seal: i=8; a=rsa-sha256; cv=fail; /);
});

test('nothing is sealed: above cv=fail, beyond 50, or while the DNS is out of order', async () => {
  const failed = await sealed(ONE.replace('Hello', 'Hallo'), B, dns);
  assert.match(failed, /^ARC-Seal: i=2; a=ed25519-sha256; cv=fail; /);
  assert.equal(await newSet(failed, A, dns, ''), '');
  assert.equal(await newSet(ONE.replaceAll(': i=1;', ': i=50;'), A, dns, ''), '');
  assert.equal(await newSet(ONE.replaceAll(': i=1;', ': i=99;'), A, dns, ''), '');
  const broken = dnsOf({ 'TXT s._domainkey.a.example': 'fails' });
  assert.equal(await newSet(ONE, A, broken, ''), '');
});

test('a chain that others call failed is sealed as failed', async () => {
  assert.match(
    await newSet(ONE, A, dns, 'arc=fail', { result: 'fail' }),
    /^ARC-Seal: i=2; a=rsa-sha256; cv=fail; /,
  );
});
