/** Takes decoded bytes, in order; they are overwritten after the call. */
export type DecodedSink = (bytes: Buffer) => void;

/** Undoes a Content-Transfer-Encoding while the bytes stream by. */
export interface Decoder {
  write(bytes: Buffer): void;
  end(): void;
  /** The input was not well formed. */
  readonly invalid: boolean;
  /** Base64: there was more after padding. */
  readonly afterPadding: boolean;
}
