import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAuthenticationResults } from '../support/authres.ts';
import { testKeys, withDkim, withDomainKeys } from '../support/signed-mail.ts';
import { letter, sendFrom, startVerifying } from './authentication.ts';

const KEY = [{ TXT: testKeys().record }];

test('Authentication-Results stay one well-formed field that says what we found, whatever is in the mail', async () => {
  await using setUp = await startVerifying(
    { 's._domainkey.example.com': KEY, '_dmarc.example.com': [{ TXT: 'v=DMARC1; p=none' }] },
    { 'tcp.smtp': ':allow,DKVERIFY=""\n', spfbehavior: '1\n' },
  );
  const { gateway } = setUp;
  const text = letter('joe@example.com');
  const good = await withDkim(text, 'example.com', 's');
  const hostile = [
    'v=1; a=rsa-sha256; d=evil.example; s=x;\r\n\ti="a;dkim=pass header.d=bank.example"@evil.example; h=from; bh=AA==; b=AA==',
    'v=1; a=rsa-sha256;dkim=pass; d=(evil.example; s=); h=from; bh=AA==; b=AA==',
    'v=1; a="x\r\n\ty"; d=evil.example\\; s=\xff\xfe; h=from; bh=AA==; b=("\\)',
    `v=1; a=rsa-sha256; d=${'long.'.repeat(50)}example; s=${'s'.repeat(300)}; i=@${'x'.repeat(300)}; h=from; bh=AA==; b=AA==`,
    'dkim=pass header.d=bank.example',
  ];
  const table: readonly (readonly [mail: string, sender: string, wanted: readonly string[]])[] = [
    [good, 'a@sender.example', ['dkim=pass example.com', 'dmarc=pass ']],
    [
      await withDomainKeys(good, 'example.com', 's'),
      '',
      ['dkim=pass example.com', 'domainkeys=pass example.com'],
    ],
    [
      letter('"a;dkim=pass (" <"x y"@example.com>'),
      '"(x;dkim=pass header.d=bank.example"@sender.example',
      ['dmarc=fail '],
    ],
    [letter('a@b@(c), d@[192.0.2.1], \xff@\xff'), '', []],
    [letter(''), '"a;b\\" c"@sender_x.example', []],
    ...hostile.map(
      field => [`DKIM-Signature: ${field}\r\n${text}`, 'a@sender.example', ['dmarc=fail ']] as const,
    ),
    [
      hostile.map(field => `DKIM-Signature: ${field}\r\n`).join('') + good,
      'a@sender.example',
      ['dkim=pass example.com'],
    ],
    [`ARC-Seal: i=1; cv=(\r\n\t"dmarc=pass; d=\xff\r\n${text}`, 'a@sender.example', ['arc=fail ']],
    [`DomainKey-Signature: d=a;b; s=(; b=x; dkim=pass\r\n${text}`, 'a@sender.example', []],
  ];
  for (const [i, [mail, sender, wanted]] of table.entries()) {
    const marked = `X-Mail: ${i}.\r\n${mail}`;
    const reply = await sendFrom(gateway, '203.0.113.9', marked, sender);
    assert.match(reply, /^250 /, String(i));
    const stored = (await gateway.maildir()).map(one => one.toString('latin1'));
    const arrived = stored.find(one => one.includes(`\nX-Mail: ${i}.\n`)) ?? assert.fail();
    const top = arrived.slice(0, arrived.indexOf('\nX-Mail: '));
    const fields = top.split(/\n(?![ \t])/).filter(field => field.startsWith('Authentication-Results:'));
    assert.equal(fields.length, 1);
    const [field = ''] = fields;
    assert.doesNotMatch(field, /[^\t\n\x20-\x7e]/);
    const [read] = await readAuthenticationResults([field.replaceAll('\n', '\r\n')]);
    assert.equal(read?.id, 'mx.example.com', field);
    const results = read.results.map(
      ({ method, result, properties }) => `${method}=${result} ${properties['header.d'] ?? ''}`,
    );
    for (const one of wanted)
      assert.ok(results.includes(one), `${i}: ${one}\n${results.join('\n')}\n${field}`);
    const bank = read.results.filter(one => one.properties['header.d']?.includes('bank.example'));
    assert.deepEqual(bank, [], field);
    const signed = wanted.includes('dkim=pass example.com');
    assert.equal(results.filter(one => one.startsWith('dkim=pass')).length, signed ? 1 : 0, field);
    assert.ok(
      field.split('\n').every(line => line.length < 998),
      field,
    );
  }
});
