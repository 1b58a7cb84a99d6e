import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startProgram, stopEverything, temporaryFolder, waitForGreeting } from '../../bench/processes.ts';
import { waitFor } from '../support/processes.ts';

test('CPU and memory of a program are those of all its processes', async () => {
  const folder = temporaryFolder('test');
  const burn = 'const end = process.cpuUsage().user + 2e5; while (process.cpuUsage().user < end);';
  const child = `${burn} const held = Buffer.alloc(64 << 20, 1); setInterval(() => held, 1e6);`;
  const parent = `const child = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}]);
    process.on('SIGTERM', () => { child.kill('SIGKILL'); process.exit(0); }); setInterval(() => {}, 1e6)`;
  const program = await startProgram(process.execPath, ['-e', parent], join(folder, 'log'));
  const before = program.residentBytes();
  await waitFor('the CPU time of the child', () => program.cpuSeconds() >= 0.2);
  await waitFor('the memory of the child', () => program.residentBytes() - before > 60 << 20);
  await program.stop();
  assert.equal(program.cpuSeconds(), 0, 'nothing is left');
  stopEverything();
});

test('a program that ends instead of serving is told from one that is slow', async () => {
  const folder = temporaryFolder('test');
  const program = await startProgram('/bin/sh', ['-c', 'echo the reason >&2; exit 3'], join(folder, 'log'));
  await assert.rejects(waitForGreeting(program, 1), /the reason/);
  stopEverything();
});

test('a program that is not there', async () => {
  const folder = temporaryFolder('test');
  await assert.rejects(startProgram('/no/such/program', [], join(folder, 'log')), /ENOENT/);
  stopEverything();
});
