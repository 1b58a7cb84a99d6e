/** npm spamc 0.0.5 brings no types; only what the tests use. */
declare module 'spamc' {
  export interface SpamcAnswer {
    readonly responseCode: number;
    readonly isSpam?: boolean;
    readonly spamScore?: number;
    readonly baseSpamScore?: number;
    /** The rules. */
    readonly matches?: readonly string[];
    readonly didSet?: boolean;
    readonly message?: string;
  }
  type Done<T> = (error: Error | null, answer?: T) => void;
  class Spamc {
    /** `timeout`: seconds without a byte. */
    constructor(host: string, port: number, timeout?: number);
    ping(done: Done<boolean>): void;
    check(message: string, done: Done<SpamcAnswer>): void;
    symbols(message: string, done: Done<SpamcAnswer>): void;
    process(message: string, done: Done<SpamcAnswer>): void;
    learn(message: string, as: 'SPAM' | 'HAM', done: Done<SpamcAnswer>): void;
  }
  export default Spamc;
}
