import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { controlFolder, postern, startGateway } from '../support/gateway.ts';
import type { ControlFiles } from '../support/gateway.ts';
import { greeted } from './dialogue.ts';

/** Starts with these files, which must fail; what it printed, places shortened, and its exit code. */
async function refusedStart(files: ControlFiles) {
  await using folder = await controlFolder(files);
  const done = await postern(['serve', '--control', folder.control, '--state', folder.state]);
  return { code: done.code, stderr: done.stderr.toString().replaceAll(folder.control, 'control') };
}

const REFUSED: Readonly<Record<string, { files: ControlFiles; says: readonly RegExp[] }>> = {
  'no rcpthosts: an open relay': {
    files: { rcpthosts: null },
    says: [/^control\/rcpthosts: missing, which would make this an open relay.*openrelay with yes/m],
  },
  'no smtproutes: mail would have nowhere to go': {
    files: { smtproutes: null },
    says: [/^control\/smtproutes: missing or empty, so there is nowhere to pass mail on to/m],
  },
  'a rule that no plugin reports': {
    files: { actions: '# ours\nRBL_REJECTS:observe\n' },
    says: [/^control\/actions:2: RBL_REJECTS: no plugin reports this rule \(did you mean RBL_REJECT\?\)/m],
  },
  'an action that is none': {
    files: { actions: 'RBL_REJECT:refuse\n' },
    says: [/^control\/actions:1: "refuse" is not an action; wanted observe, tag/m],
  },
  'a value that cannot be read': {
    files: { harderrors: 'many\n' },
    says: [/^control\/harderrors:1: "many" is not a number from 0 to 10000 \(errors\)/m],
  },
  'a listen address that is none': {
    files: { listen: '127.0.0.1:0\nlocalhost:25\n' },
    says: [/^control\/listen:2: "localhost:25" is not IP:PORT, \[IPv6\]:PORT or none/m],
  },
  'a proxy network that is none': {
    files: { proxyfrom: '10.0.0.0/8\n10.1\n' },
    says: [/^control\/proxyfrom:2: "10\.1" is neither an address nor a network such as 10\.0\.0\.0\/8/m],
  },
  'a DNS server that is none': {
    files: { dnsservers: '127.0.0.1:53\nns.example.com\n' },
    says: [/^control\/dnsservers:2: "ns\.example\.com" is not IP, IP:PORT or \[IPv6\]:PORT/m],
  },
  'a check that is none': {
    files: { checks: 'rbl\nbadhelp\n' },
    says: [/checks.*: badhelp: no such plugin \(did you mean badhelo\?\)/m],
  },
  'a broken line in tcp.smtp': {
    files: { 'tcp.smtp': ':allow\n10.:alow\n' },
    says: [/^control\/tcp\.smtp:2: unable to parse this line: 10\.:alow/m],
  },
  'a setting that simcontrol may not set': {
    files: { simcontrol: 'example.com:databytes=5\n' },
    says: [/^control\/simcontrol:1: databytes cannot be set for a recipient/m],
  },
  'everything at once': {
    files: {
      rcpthosts: null,
      smtproutes: null,
      actions: 'X:observe\nBADHELO:no\n',
      workers: 'two\n',
      rbl: '-x\n',
    },
    says: [
      /^control\/rcpthosts: missing/m,
      /^control\/smtproutes: missing/m,
      /^control\/actions:1: X: no plugin/m,
      /^control\/actions:2: "no" is not an action/m,
      /^control\/workers:1: "two" is not a number/m,
      /^control\/rbl:1: /m,
      /^postern: not started: errors in the configuration: 6$/m,
    ],
  },
};

for (const [name, { files, says }] of Object.entries(REFUSED)) {
  test(`does not start: ${name}`, async () => {
    const { code, stderr } = await refusedStart(files);
    assert.equal(code, 100, stderr);
    for (const pattern of says) assert.match(stderr, pattern);
    assert.doesNotMatch(stderr, /\.ts:\d+/);
  });
}

test('a control directory that does not exist is said so', async () => {
  const done = await postern(['serve', '--control', '/nonexistent/control', '--state', '/tmp']);
  assert.equal(done.code, 100);
  assert.match(done.stderr.toString(), /^\/nonexistent\/control: cannot read the control directory: ENOENT/m);
});

test('openrelay lets it start without rcpthosts, and relays', async () => {
  await using gateway = await startGateway({ rcpthosts: null, openrelay: 'yes\n' });
  await using client = await greeted(gateway.port);
  assert.match(await client.envelope('a@example.net', 'b@anywhere.example'), /^250 /);
  assert.match(await client.message(), /^250 /);
  assert.equal((await gateway.maildir()).length, 1);
});

test('a port that is taken: exit 111 and a text that names it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    const { code, stderr } = await refusedStart({ listen: `127.0.0.1:${port}\n`, workers: '2\n' });
    assert.equal(code, 111, stderr);
    assert.match(stderr, new RegExp(`^postern: cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`, 'm'));
    assert.equal(stderr.trim().split('\n').length, 1, 'said once, not by every worker');
  } finally {
    other.close();
  }
});

test('a certificate that cannot be used: exit 111 and a text that names it', async () => {
  const { code, stderr } = await refusedStart({ tlscert: 'cert.pem\n' });
  assert.equal(code, 111, stderr);
  assert.match(stderr, /^postern: control\/cert\.pem: no usable certificate and key: ENOENT/m);
});

test('a state folder that cannot be had: exit 111, without a stack', async () => {
  await using folder = await controlFolder();
  await rm(folder.state, { recursive: true });
  await writeFile(folder.state, 'a file in its place');
  const done = await postern(['serve', '--control', folder.control, '--state', folder.state]);
  assert.equal(done.code, 111, done.stderr.toString());
  assert.match(done.stderr.toString(), /^postern: .*state.*(EEXIST|ENOTDIR)/m);
  assert.doesNotMatch(done.stderr.toString(), /\.ts:\d+/);
});

test('a folder where a control file should be is no control file', async () => {
  await using folder = await controlFolder();
  await mkdir(join(folder.control, 'badhelo'));
  const done = await postern(['config', 'check', '--control', folder.control, '--state', folder.state]);
  assert.equal(done.code, 0, done.stdout.toString());
});
