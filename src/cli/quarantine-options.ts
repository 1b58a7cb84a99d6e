/** Options of the commands of `postern quarantine`, besides places and filters. */
export interface JsonOptions {
  readonly json: boolean;
}

export interface ListOptions extends JsonOptions {
  readonly limit: string;
  readonly after?: string;
}

export interface ShowOptions extends JsonOptions {
  readonly raw: boolean;
}

export interface ReleaseOptions extends JsonOptions {
  readonly to?: string;
  readonly again: boolean;
  readonly ham: boolean;
}
