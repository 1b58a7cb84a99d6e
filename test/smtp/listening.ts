import type { TestContext } from 'node:test';
import type { SecureContext } from 'node:tls';
import { SharedConnectionLimits } from '../../src/smtp/connection-limits.ts';
import { Listener } from '../../src/smtp/listener.ts';
import { rig } from '../pipeline/rig.ts';
import type { Rig, RigOptions } from '../pipeline/rig.ts';
import { temporaryFolder } from '../support/processes.ts';

/** A gateway that listens on a free port of 127.0.0.1, in this process. */
export interface Listening extends Rig {
  readonly port: number;
  readonly listener: Listener;
  /** Faults of ours that the session reported. */
  readonly problems: unknown[];
}

export interface ListeningOptions extends RigOptions {
  readonly secureContext?: SecureContext;
  /** Where spool files go, in place of a folder of its own. */
  readonly spoolFolder?: string;
}

export async function listening(t: TestContext, options: ListeningOptions = {}): Promise<Listening> {
  const made = await rig(t, options);
  const spool = await temporaryFolder();
  const problems: unknown[] = [];
  const listener = new Listener({
    gateway: made.gateway,
    configuration: () => made.configuration,
    limits: new SharedConnectionLimits(1, () => Promise.resolve(false), Date.now),
    identify: () => ({ host: null, info: null }),
    secureContext: () => options.secureContext ?? null,
    spoolFolder: options.spoolFolder ?? spool.path,
    now: Date.now,
    problem: (_, error) => problems.push(error),
  });
  const port = await listener.listen('127.0.0.1', 0);
  t.after(async () => {
    await listener.drain(0);
    await spool[Symbol.asyncDispose]();
  });
  return { ...made, port, listener, problems };
}
