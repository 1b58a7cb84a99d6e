import type { Anomaly, AnomalyName, MimeLimits } from '../../model/mime.ts';
import type { Consumed, FileHead, OpenConsumer, PartConsumer } from './consumer.ts';
import type { PartNode } from './part-node.ts';
import type { Decoder } from './decoder.ts';
import type { Coding } from './transfer-decoders.ts';

/** Large enough for speed, small enough for caches. */
export const BLOCK = 16 * 1024;

/** Anomalies of one kind that are told; the rest would say nothing new. */
const MAX_OF_A_KIND = 8;

/** Walkers at work on alternative readings at a time, and all of them that one message may cost. */
const MAX_AT_A_TIME = 40;
const MAX_WALKERS = 1000;

/** How many times more parts than `mimeparts` all readings together may have. */
const READINGS_OF_A_PART = 4;

/** What all walkers of one pass over a message share: limits, findings, work that is still going on. */
export class Reading {
  readonly limits: MimeLimits;
  /** Base64 ends at its padding, as some readers have it. */
  readonly stopsAtPadding: boolean;
  /** Bytes that walkers look at in one go: may be changed at any time, the answer is the same. */
  block = BLOCK;
  readonly anomalies: Anomaly[] = [];
  /** The message itself, once for each reading of its own header. */
  readonly roots: PartNode[] = [];
  /** Alternative readings were followed: parts may have been seen twice. */
  forked = false;
  /** Base64 went on after its padding: the message has a second reading. */
  wentOnAfterPadding = false;
  /** Rejects never. */
  readonly unfinished: Promise<void>[] = [];
  readonly #openConsumer: OpenConsumer;
  /** Consumers at work that may ask for a pause or hold a file. */
  readonly #consumers = new Set<PartConsumer>();
  readonly #told = new Map<AnomalyName, Set<string>>();
  #parts = 0;
  #forks = 0;
  #allForks = 0;

  constructor(limits: MimeLimits, openConsumer: OpenConsumer, stopsAtPadding: boolean) {
    this.limits = limits;
    this.#openConsumer = openConsumer;
    this.stopsAtPadding = stopsAtPadding;
  }

  /** Something odd at `place`; told once for each rule and place. */
  note(rule: AnomalyName, place: string, detail = ''): void {
    let places = this.#told.get(rule);
    if (places === undefined) {
      places = new Set();
      this.#told.set(rule, places);
    }
    if (places.size >= MAX_OF_A_KIND || places.has(place)) return;
    places.add(place);
    this.anomalies.push({ rule, place, detail: detail.slice(0, 200) });
  }

  /** What was wrong with the encoding of a body that is over. */
  noteCoding({ invalid, afterPadding }: Decoder, coding: Coding, place: string): void {
    if (invalid) this.note(coding === 'base64' ? 'MIME_BASE64_INVALID' : 'MIME_QP_INVALID', place);
    if (!afterPadding) return;
    this.note('MIME_BASE64_AFTER_PADDING', place);
    this.wentOnAfterPadding = true;
  }

  /** One more part, of `walkerParts` that its walker has had; false when that is too many. */
  takePart(walkerParts: number): boolean {
    if (walkerParts >= this.limits.parts || this.#parts >= this.limits.parts * READINGS_OF_A_PART)
      return false;
    this.#parts++;
    return true;
  }

  /** An alternative reading begins; false when there are too many. `endFork` gives it back. */
  takeFork(place: string): boolean {
    if (this.#forks >= MAX_AT_A_TIME || this.#allForks >= MAX_WALKERS) {
      this.note('MIME_DEPTH', place, 'too many readings of one message');
      return false;
    }
    this.#forks++;
    this.#allForks++;
    this.forked = true;
    return true;
  }

  endFork(): void {
    this.#forks--;
  }

  /** Who looks into a part, or into the text around parts; null: nobody. */
  open(file: FileHead): PartConsumer | null {
    const consumer = this.#openConsumer(file, []);
    if (consumer !== null) this.#consumers.add(consumer);
    return consumer;
  }

  /** `consumer` has had all bytes of `node`'s part. */
  finish(consumer: PartConsumer, node: PartNode): void {
    const consumed = consumer.end();
    if (consumed instanceof Promise) {
      this.unfinished.push(
        consumed.then(found => {
          this.#consumers.delete(consumer);
          this.#add(found, node);
        }),
      );
    } else {
      this.#consumers.delete(consumer);
      this.#add(consumed, node);
    }
  }

  /** Consumers wait for the disk; null when nobody does. */
  pause(): Promise<unknown> | null {
    if (this.#consumers.size === 0) return null;
    let waiting: Promise<void>[] | null = null;
    for (const { pending } of this.#consumers) {
      if (pending !== null && pending !== undefined) (waiting ??= []).push(pending);
    }
    return waiting === null ? null : Promise.all(waiting);
  }

  /** Gives up: nothing is held any more. */
  abandon(): void {
    for (const consumer of this.#consumers) consumer.abandon?.();
    this.#consumers.clear();
  }

  #add({ members, archives, anomalies }: Consumed, node: PartNode): void {
    node.members.push(...members);
    node.archives.push(...archives);
    for (const { rule, detail } of anomalies) this.note(rule, node.place, detail);
  }
}
