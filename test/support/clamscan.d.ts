/** npm clamscan 2.4.0 brings no types; only what the tests use. */
declare module 'clamscan' {
  import type { Readable } from 'node:stream';

  interface Result {
    /** null: it could not tell. */
    readonly isInfected: boolean | null;
    readonly viruses: readonly string[];
  }

  class NodeClam {
    init(options: {
      readonly preference: 'clamdscan';
      readonly clamscan: { readonly active: false };
      readonly clamdscan: {
        readonly socket?: string | false;
        readonly host?: string;
        readonly port?: number;
        /** Milliseconds. */
        readonly timeout: number;
        readonly localFallback: false;
      };
    }): Promise<NodeClam>;
    scanStream(stream: Readable): Promise<Result>;
  }

  export = NodeClam;
}
