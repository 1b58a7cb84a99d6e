import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { address } from '../../src/model/address.ts';
import type { Held, HeldRecipient } from '../../src/pipeline/parts.ts';
import { sampleRecord } from '../store/sample-record.ts';

/** A folder for one test. */
export function temporary(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-held-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

export function heldRecipient(text: string, change: Partial<HeldRecipient> = {}): HeldRecipient {
  return {
    address: address(text),
    forwarded: address(text),
    rule: 'ATTACHMENT',
    verdict: 'quarantine',
    ...change,
  };
}

/** A copy for bob@example.com from alice@example.net, with whatever `change` says otherwise. */
export function heldCopy(id: string, change: Partial<Held> = {}): Held {
  return {
    id,
    sender: address('alice@example.net'),
    parameters: { size: null, body: null, smtputf8: false },
    recipients: [heldRecipient('bob@example.com')],
    record: sampleRecord({ id, event: 'message-held' }),
    ...change,
  };
}
