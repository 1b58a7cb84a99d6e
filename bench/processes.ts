import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, readdirSync, rmSync, closeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Clock ticks a second in /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS = 100;

/** How long (milliseconds) a process may take to start serving, and to end when asked to. */
const START_LIMIT = 30_000;
const STOP_LIMIT = 5_000;

/** A program of the benchmark, with everything it started. */
export interface Program {
  readonly pid: number;
  /** CPU seconds, user and system, of the program and all its descendants since they started; steps of 10 ms. */
  cpuSeconds(): number;
  /** Bytes of memory that the program and its descendants hold now (sum of their resident sets). */
  residentBytes(): number;
  /** What it has written to its standard output and error. */
  output(): string;
  /** Asks it to end, and makes it after five seconds. */
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly directory?: string;
}

const running = new Map<number, ChildProcess>();
const folders = new Set<string>();

/** Starts `file` with `args`; its output goes to `log`. */
export function startProgram(
  file: string,
  args: readonly string[],
  log: string,
  options: ProgramOptions = {},
): Promise<Program> {
  const output = openSync(log, 'w');
  const child = spawn(file, args, {
    stdio: ['ignore', output, output],
    env: { ...process.env, ...options.env },
    cwd: options.directory,
  });
  closeSync(output);
  return new Promise((started, failed) => {
    child.once('error', failed);
    child.once('spawn', () => {
      const pid = child.pid ?? 0;
      running.set(pid, child);
      child.once('exit', () => running.delete(pid));
      started({
        pid,
        cpuSeconds: () => sum(tree(pid), cpuSecondsOf),
        residentBytes: () => sum(tree(pid), residentBytesOf),
        output: () => readFileSync(log, 'utf8'),
        stop: () => stop(pid),
      });
    });
  });
}

/** An empty folder for this run, removed by {@link stopEverything}. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `postern-bench-${name}-`));
  folders.add(folder);
  return folder;
}

/** Kills whatever is still running and removes the temporary folders; for the very end and for Ctrl-C. */
export function stopEverything(): void {
  for (const pid of running.keys()) killTree(pid);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

/** A port of 127.0.0.1 that is free at this moment, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise(listening => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>(closed => server.close(() => closed()));
  return port;
}

/**
 * Waits until a connection to `port` of 127.0.0.1, or to that Unix socket, brings `greeting` (sent `first`, when the server
 * wants to hear something).
 */
export async function waitForGreeting(
  program: Program,
  port: number | string,
  greeting = '220',
  first = '',
): Promise<void> {
  const deadline = performance.now() + START_LIMIT;
  while (performance.now() < deadline) {
    if (!running.has(program.pid)) break;
    if (await greets(port, greeting, first)) return;
    await sleep(50);
  }
  throw new Error(`no ${greeting} from port ${port}; the program said:\n${program.output().slice(-2000)}`);
}

function greets(port: number | string, greeting: string, first: string): Promise<boolean> {
  return new Promise(answer => {
    const socket = connect(typeof port === 'string' ? { path: port } : { host: '127.0.0.1', port });
    const done = (said: boolean) => {
      answer(said);
      socket.end('QUIT\r\n');
    };
    socket.setTimeout(2000, () => socket.destroy());
    socket.once('connect', () => socket.write(first));
    socket.once('data', bytes => done(bytes.toString('latin1').startsWith(greeting)));
    socket.on('error', () => answer(false)).on('close', () => answer(false));
  });
}

async function stop(pid: number): Promise<void> {
  const child = running.get(pid);
  if (!child) return;
  const ended = new Promise<void>(exit => child.once('exit', () => exit()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => killTree(pid), STOP_LIMIT);
  await ended;
  clearTimeout(timer);
}

function killTree(root: number): void {
  for (const pid of tree(root)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended in the meantime.
    }
  }
}

/** `root` and its descendants. */
function tree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const parent = Number.isInteger(pid) ? Number(statOf(pid)[1] ?? -1) : -1;
    if (parent >= 0) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = [root];
  for (let i = 0; i < found.length; i++) found.push(...(children.get(found[i] ?? -1) ?? []));
  return found;
}

/** Fields of /proc/PID/stat from the third (state) on, proc(5); empty when the process is gone. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** Time of all threads, and of children that have ended and were waited for. */
function cpuSecondsOf(pid: number): number {
  const fields = statOf(pid);
  return sum([11, 12, 13, 14], field => Number(fields[field] ?? 0)) / TICKS;
}

function residentBytesOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
