import type { HeaderField } from '../mail/header.ts';
import type { SignedHeader } from './signed-header.ts';
import type { Tags } from './signature-tags.ts';
import { tagList } from './tag-list.ts';

/** The three fields of one instance (RFC 8617 4.2). */
export interface ArcSet {
  readonly instance: number;
  readonly results: HeaderField;
  readonly message: HeaderField;
  readonly seal: HeaderField;
  readonly messageTags: Tags;
  readonly sealTags: Tags;
}

/** The ARC fields of a message, sorted. */
export interface ArcFields {
  /** The highest instance that any of them names; 0: none can be read. */
  readonly highest: number;
  /** The newest seal says `cv=fail`: nobody is to add another (RFC 8617 5.1). */
  readonly sealedAsFailed: boolean;
  /** From 1 on, or what is wrong with their structure (5.2, step 3). */
  readonly sets: readonly ArcSet[] | { readonly why: string };
}

/** RFC 8617 4.2.1. */
export const MAX_INSTANCES = 50;

/** An instance in front of the authentication results (4.1.1, 3.9): comments may stand anywhere. */
const RESULTS_INSTANCE =
  /^(?:\s|\([^()\\]*\))*i(?:\s|\([^()\\]*\))*=(?:\s|\([^()\\]*\))*([0-9]{1,2})(?:\s|\([^()\\]*\))*;/;

/** One ARC field, with what tells which set it belongs to. */
interface Member {
  readonly field: HeaderField;
  /** Null: it names none from 1 to 99. */
  readonly instance: number | null;
  /** Empty for ARC-Authentication-Results. */
  readonly tags: Tags;
}

const NO_TAGS: Tags = new Map();

/** The ARC fields in a header, or null when there are none. Never throws; the work is that of three fields for each set. */
export function arcFields(header: SignedHeader): ArcFields | null {
  const results = header.named('arc-authentication-results');
  const messages = header.named('arc-message-signature');
  const seals = header.named('arc-seal');
  const most = Math.max(results.length, messages.length, seals.length);
  if (most === 0) return null;
  if (most > MAX_INSTANCES)
    return { highest: most, sealedAsFailed: false, sets: { why: `there are ${most} sets` } };

  const sealMembers = seals.map(field => tagged(field, header));
  const messageMembers = messages.map(field => tagged(field, header));
  const resultMembers = results.map(
    (field): Member => ({ field, instance: resultsInstance(header.value(field)), tags: NO_TAGS }),
  );
  const all = [...sealMembers, ...messageMembers, ...resultMembers];
  const highest = Math.max(...all.map(one => one.instance ?? 0));
  return {
    highest,
    sealedAsFailed: sealMembers.some(one => one.instance === highest && chainStatus(one.tags) === 'fail'),
    sets: all.some(one => one.instance === null)
      ? { why: 'a field is no tag list, or names no instance' }
      : setsOf(highest, resultMembers, messageMembers, sealMembers),
  };
}

/** What a seal says of the chain below it, lower case (RFC 8617 4.4). */
export function chainStatus(tags: Tags): string {
  return (tags.get('cv') ?? '').toLowerCase();
}

/** The results in a set's ARC-Authentication-Results, unfolded and without their instance. */
export function resultsOf({ results }: ArcSet, header: SignedHeader): string {
  return header
    .value(results)
    .replace(RESULTS_INSTANCE, '')
    .replace(/\r\n(?=[ \t])/g, '')
    .trim();
}

/**
 * What seals cover (RFC 8617 5.1.1): the fields of all sets in canonical form, `text`, and for each set how much of it stands
 * before its own seal, `ends`.
 */
export function sealedText(
  sets: readonly ArcSet[],
  header: SignedHeader,
): { readonly text: string; readonly ends: readonly number[] } {
  let text = '';
  const ends: number[] = [];
  for (const { results, message, seal } of sets) {
    text += `${header.canonical(results, 'relaxed')}\r\n${header.canonical(message, 'relaxed')}\r\n`;
    ends.push(text.length);
    text += `${header.canonical(seal, 'relaxed')}\r\n`;
  }
  return { text, ends };
}

function setsOf(
  highest: number,
  results: readonly Member[],
  messages: readonly Member[],
  seals: readonly Member[],
): ArcFields['sets'] {
  if (highest > MAX_INSTANCES) return { why: `it claims ${highest} sets` };
  const sets: ArcSet[] = [];
  for (let instance = 1; instance <= highest; instance++) {
    const [result, ...moreResults] = results.filter(one => one.instance === instance);
    const [message, ...moreMessages] = messages.filter(one => one.instance === instance);
    const [seal, ...moreSeals] = seals.filter(one => one.instance === instance);
    if (result === undefined || message === undefined || seal === undefined)
      return { why: `set ${instance} is not complete` };
    if (moreResults.length + moreMessages.length + moreSeals.length > 0)
      return { why: `there is more than one set ${instance}` };
    sets.push({
      instance,
      results: result.field,
      message: message.field,
      seal: seal.field,
      messageTags: message.tags,
      sealTags: seal.tags,
    });
  }
  return sets;
}

function tagged(field: HeaderField, header: SignedHeader): Member {
  const tags = tagList(header.value(field)) ?? NO_TAGS;
  return { field, instance: instanceOf(tags.get('i')), tags };
}

function resultsInstance(value: string): number | null {
  return instanceOf(RESULTS_INSTANCE.exec(value)?.[1]);
}

/** One or two digits, of which a set can be made from 1 to 50. */
function instanceOf(value: string | undefined): number | null {
  const instance = value !== undefined && /^[0-9]{1,2}$/.test(value) ? Number(value) : 0;
  return instance > 0 ? instance : null;
}
