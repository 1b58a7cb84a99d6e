import { lowerAscii } from '../model/address.ts';
import type { VerdictRecord } from '../model/record.ts';

/**
 * The longest key that is indexed, in chars. Longer addresses and Message-IDs exist only to do harm; they are kept
 * whole in the record and found by their beginning.
 */
const KEY_LENGTH = 512;

/** What a record is found by. */
export interface JournalKeys {
  readonly id: string;
  readonly session: string;
  readonly time: number;
  readonly messageId: string | null;
  /** Sender and recipients, each once. */
  readonly addresses: readonly AddressKey[];
}

/** An address (a byte string) as the index holds it: ASCII lower case, split at its last `@`. */
export interface AddressKey {
  /** `''` when the address has none. */
  readonly domain: string;
  /** `''` in a search for every address of a domain. */
  readonly local: string;
}

type KeyFields = Pick<VerdictRecord, 'id' | 'sessionId' | 'time' | 'sender' | 'recipients' | 'messageId'>;

/**
 * The keys of a record that is a JSON text, or null when the text is no verdict record. Only what the keys need is
 * looked at: the text comes from our own worker processes.
 */
export function journalKeys(json: string): JournalKeys | null {
  try {
    const record = keyFields(json);
    if (typeof record.id !== 'string' || typeof record.sessionId !== 'string') return null;
    if (!Number.isSafeInteger(record.time)) return null;
    return {
      id: record.id,
      session: record.sessionId,
      time: record.time,
      messageId: record.messageId === null ? null : messageIdKey(record.messageId),
      addresses: addressKeys(record.sender ?? '', record.recipients),
    };
  } catch {
    return null;
  }
}

/** The index key of an address, or of `@domain`. */
export function addressKey(address: string): AddressKey {
  const key = lowerAscii(address.slice(0, KEY_LENGTH));
  const at = key.lastIndexOf('@');
  return at < 0 ? { domain: '', local: key } : { domain: key.slice(at + 1), local: key.slice(0, at) };
}

/** The index key of a Message-ID (a byte string, with or without its angle brackets). */
export function messageIdKey(messageId: string): string {
  const bare = messageId.trim();
  const inner = bare.startsWith('<') && bare.endsWith('>') ? bare.slice(1, -1) : bare;
  return inner.slice(0, KEY_LENGTH);
}

function addressKeys(
  sender: string,
  recipients: readonly { readonly address: string }[],
): readonly AddressKey[] {
  const keys = new Map<string, AddressKey>();
  for (const address of [sender, ...recipients.map(recipient => recipient.address)]) {
    if (address === '') continue;
    const key = addressKey(address);
    keys.set(`${key.local}@${key.domain}`, key);
  }
  return [...keys.values()];
}

/** Where the long part of a record begins that holds no keys. Inside a JSON string the quotes would be escaped. */
const FINDINGS = ',"findings":[';
const SENDER = ',"sender":';

/**
 * Parses the part of the text before the findings when all keys stand there, as they do in the records we write;
 * otherwise all of it. This halves the cost of taking a record. Throws when the text is not JSON.
 */
function keyFields(json: string): KeyFields {
  const cut = json.indexOf(FINDINGS);
  const head = cut > 0 ? parsedHead(json.slice(0, cut)) : null;
  if (head === null || head.recipients === undefined || head.messageId === undefined) {
    return JSON.parse(json) as KeyFields;
  }
  // A record without MAIL has no sender at all.
  if (head.sender === undefined && json.includes(SENDER, cut)) return JSON.parse(json) as KeyFields;
  return head as KeyFields;
}

/** null when the findings stood inside something else, so that the part before them is not whole. */
function parsedHead(part: string): Partial<KeyFields> | null {
  try {
    return JSON.parse(`${part}}`) as Partial<KeyFields>;
  } catch {
    return null;
  }
}
