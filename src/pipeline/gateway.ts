import type { Configuration } from '../control/configuration.ts';
import type { Address } from '../model/address.ts';
import type { Router } from '../model/delivery.ts';
import type { Message } from '../model/message.ts';
import type { Journal } from '../model/record.ts';
import type { Client } from '../model/session.ts';
import { Conversation } from './conversation.ts';
import type { AnyPlugin, Services } from './run-stage.ts';
import { StageTable } from './run-stage.ts';

/** A copy of a message that goes to the quarantine. */
export interface Held {
  readonly id: string;
  readonly sender: Address | null;
  readonly recipients: readonly Address[];
  readonly rule: string;
  readonly client: Client | null;
  readonly helo: string | null;
  readonly time: number;
}

/** What the pipeline needs from outside; the entry points wire it. */
export interface GatewayParts {
  /** Name of the edge, for the record: `smtp` or `qmail`. */
  readonly edge: string;
  readonly plugins: readonly AnyPlugin[];
  readonly services: Services;
  configuration(): Configuration;
  /** The next hops of a configuration. */
  router(configuration: Configuration): Router;
  readonly journal: Journal;
  /** Stores durably, or rejects. `added` is our header block. */
  hold(held: Held, added: Buffer, message: Message): Promise<void>;
  /** Ids of sessions and events: short, unique, in order of time. */
  newId(): string;
  /** True for the addresses of this host. */
  readonly isOwnAddress: (ip: string) => boolean;
}

/**
 * The pipeline as the edges see it: it opens conversations, which take what a client says and give back replies. It
 * does not know how they are said.
 */
export class Gateway {
  readonly parts: GatewayParts;
  readonly #tables = new Map<string, StageTable>();
  readonly deferring: ReadonlySet<string>;

  constructor(parts: GatewayParts) {
    this.parts = parts;
    this.deferring = new Set(
      parts.plugins.filter(plugin => plugin.onError === 'defer').map(plugin => plugin.name),
    );
  }

  /** A conversation with a client that has just connected. Its settings are those of this moment. */
  open(client: Client | null): Conversation {
    return new Conversation(this, this.parts.configuration(), client);
  }

  /** The plugins that `checks` asks for. Relay control is not a matter of choice. */
  stages(checks: readonly string[]): StageTable {
    const key = checks.join(' ');
    let table = this.#tables.get(key);
    if (table === undefined) {
      const all = checks.includes('all');
      const chosen = this.parts.plugins.filter(p => all || p.name === 'rcpthosts' || checks.includes(p.name));
      table = new StageTable(chosen, this.parts.services);
      this.#tables.set(key, table);
    }
    return table;
  }
}
