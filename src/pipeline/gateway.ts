import type { Caller, Client } from '../model/session.ts';
import { Conversation } from './conversation.ts';
import type { GatewayParts, House } from './parts.ts';
import { StageTable } from './run-stage.ts';

/** Who queues a message through us, and for whom. */
export interface Queuing {
  readonly caller: Caller | null;
  readonly client: Client | null;
  /** The user has proved who he is: as good as RELAYCLIENT. */
  readonly authenticated: boolean;
}

/**
 * The pipeline as the edges see it: it opens conversations, which take what a client says and give back replies. It
 * does not know how they are said.
 */
export class Gateway implements House {
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
    return new Conversation(this, this.parts.configuration(), client, null);
  }

  /** The same with a program that queues a message: its settings come from its environment, not from tcp.smtp. */
  openFor(queuing: Queuing, variables: ReadonlyMap<string, string>): Conversation {
    const configuration = this.parts.configuration();
    const effective = configuration.forEnvironment(variables);
    return new Conversation(this, configuration, queuing.client, { ...queuing, effective });
  }

  stages(checks: readonly string[]): StageTable {
    const key = checks.join(' ');
    let table = this.#tables.get(key);
    if (table === undefined) {
      const all = checks.includes('all');
      const chosen = this.parts.plugins.filter(p => all || p.name === 'rcpthosts' || checks.includes(p.name));
      table = new StageTable(chosen, this.parts.services, this.parts.handsBack === true);
      this.#tables.set(key, table);
    }
    return table;
  }
}
