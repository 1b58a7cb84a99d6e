/** Options that choose a client and a recipient. */
export interface ConfigOptions {
  readonly client?: string;
  readonly host?: string;
  readonly rcpt?: string;
  readonly all?: boolean;
}

export interface CheckOptions {
  readonly client: string;
  readonly host?: string;
  readonly helo: string;
  readonly from: string;
  readonly rcpt: readonly string[];
  readonly json: boolean;
}
