import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/processes.ts';
import { greeted } from './dialogue.ts';

const CLEAN = 'From: a@example.net\r\nSubject: Re: news\r\nMessage-ID: <1@x>\r\n\r\nhello\r\n';
const EXE =
  'From: a@example.net\r\nSubject: look\r\nMessage-ID: <2@x>\r\nMIME-Version: 1.0\r\n' +
  'Content-Type: application/octet-stream; name="run: me.exe"\r\n\r\nMZ\r\n';

test('logformat simscan: its line for a message, ours for all else; then qmail-scanner, after a reload', async () => {
  await using gateway = await startGateway({ logformat: 'simscan\n', attach: '.exe\n' });
  const lines = () => gateway.program.stderr.split('\n').slice(0, -1);
  const found = (pattern: RegExp) => lines().find(line => pattern.test(line));
  const send = async (message: string, wanted: RegExp) => {
    await using client = await greeted(gateway.port);
    await client.say('EHLO mail.example.net');
    await client.say('MAIL FROM:<A@example.net>');
    await client.say('RCPT TO:<nobody@elsewhere.example>');
    await client.say('RCPT TO:<me@example.com>');
    assert.match(await client.message(message), wanted);
  };
  await send(CLEAN, /^250 /);
  await send(EXE, /^554 /);
  const tail = ':127\\.0\\.0\\.1:a@example\\.net:me@example\\.com$';
  const simscan = [
    new RegExp(`^simscan:\\[\\d+\\]:CLEAN \\(0\\.00/0\\.00/0\\.00\\):\\d+\\.\\d{4}s:Re_ news${tail}`),
    new RegExp(`^simscan:\\[\\d+\\]:ATTACH:\\d+\\.\\d{4}s:run_ me\\.exe${tail}`),
  ];
  await waitFor('the lines of simscan', () => simscan.every(found));
  await waitFor(
    'the refused recipients',
    () => gateway.program.stderr.match(/^recipient-refused id=/gm)?.length === 2,
  );
  assert.equal(lines().filter(line => /^message-|^\{/.test(line)).length, 0);

  await gateway.write('logformat', 'qmail-scanner\n');
  gateway.program.signal('SIGHUP');
  await waitFor('the settings in force', () => found(/^settings-in-force /) !== undefined);
  await send(CLEAN, /^250 /);
  await send(EXE, /^554 /);
  const scanner = [
    /^qmail-scanner\[\d+\]: Clear:RC:0\(127\.0\.0\.1\): \S+ \d+ A@example\.net me@example\.com Re:_news <1@x> \S+-unpacked:\d+$/,
    /^qmail-scanner\[\d+\]: Policy:\S+:RC:0\(127\.0\.0\.1\): \S+ \d+ A@example\.net me@example\.com look <2@x> \S+-unpacked:\d+$/,
  ];
  await waitFor('the lines of qmail-scanner', () => scanner.every(found));
});
