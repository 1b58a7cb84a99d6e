import http from 'node:http';
import type { ScanError, ScannerFault } from '../model/scan.ts';
import type { ScannerAddress } from '../model/scanner-address.ts';
import type { Request } from './stream-client.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Among them Content-Length for a request with a body; clean values. */
  readonly headers: Record<string, string | string[]>;
  readonly body: Request;
}

export interface HttpLimits {
  readonly address: ScannerAddress;
  /** Milliseconds for the connection. */
  readonly connectMs: number;
  /** Milliseconds for everything, the connection among it. */
  readonly timeoutMs: number;
  /** Bytes of the answer's body; a longer one is garbage. */
  readonly maxAnswer: number;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly kind: 'answer';
  readonly status: number;
  /** Whole, as far as the server has announced its length. */
  readonly body: Buffer;
}

/** Bytes of the answer's header. */
const MAX_HEADER = 16 * 1024;
const CUT = 'closed in the middle of its answer';

/**
 * One HTTP request on a connection of its own: rspamd 3.4 ends every answer with `Connection: close`, whatever it was asked.
 * Ends at the deadline at the latest, with the answer or with `refused`, `timeout`, `cut` or `garbage`; `why` does not name the
 * scanner. No redirect is followed. Rejects only when the body throws, with what it threw.
 */
export function httpExchange(request: HttpRequest, limits: HttpLimits): Promise<HttpAnswer | ScanError> {
  return new Promise((resolve, reject) => {
    const { address, connectMs, timeoutMs, maxAnswer, signal } = limits;
    let connected = false;
    let sentAll = false;
    let answering = false;
    let over = false;
    let wake: (() => void) | null = null;

    const finish = (settle: () => void): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      clearTimeout(connectTimer);
      signal.removeEventListener('abort', gone);
      call.destroy();
      wake?.();
      settle();
    };
    const fault = (kind: ScannerFault, why: string): void =>
      finish(() => resolve({ kind: 'error', fault: kind, why }));
    const gone = (): void => fault('timeout', 'given up by whoever asked');

    const call = http.request({
      method: request.method,
      path: request.path,
      headers: request.headers,
      agent: false,
      maxHeaderSize: MAX_HEADER,
      ...(address.kind === 'unix'
        ? { socketPath: address.path }
        : { host: address.host, port: address.port }),
    });
    const timer = setTimeout(() => fault('timeout', `no answer within ${timeoutMs} ms`), timeoutMs);
    const connectTimer = setTimeout(() => {
      if (!connected) fault('timeout', `no connection within ${connectMs} ms`);
    }, connectMs);

    call.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      if (code.startsWith('HPE_')) fault('garbage', `this is no HTTP (${code})`);
      else if (connected) fault('cut', `broke off (${code})`);
      else fault(code === 'ETIMEDOUT' ? 'timeout' : 'refused', `no connection (${code})`);
    });
    call.on('close', () => fault('cut', answering ? CUT : 'closed without an answer'));
    call.on('socket', socket => {
      socket.once('connect', () => {
        connected = true;
        clearTimeout(connectTimer);
        void send();
      });
    });
    call.on('response', response => {
      answering = true;
      const pieces: Buffer[] = [];
      let heard = 0;
      response.on('data', (bytes: Buffer) => {
        heard += bytes.length;
        if (heard > maxAnswer) fault('garbage', `an answer of more than ${maxAnswer} bytes`);
        else if (!over) pieces.push(bytes);
      });
      response.on('error', () => fault('cut', CUT));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        if (!response.complete) fault('cut', CUT);
        else if (!sentAll && status < 300) fault('garbage', 'answered before it had the whole message');
        else finish(() => resolve({ kind: 'answer', status, body: Buffer.concat(pieces, heard) }));
      });
    });
    if (signal.aborted) gone();
    else signal.addEventListener('abort', gone);

    /** Writes the body as fast as it is taken; a piece may change only when the kernel has it. */
    async function send(): Promise<void> {
      try {
        for await (const item of request.body) {
          if (over) return;
          for (const bytes of item) {
            await new Promise<void>(done => {
              wake = done;
              call.write(bytes, () => done());
            });
            if (over) return;
          }
        }
        sentAll = true;
        call.end();
      } catch (error) {
        finish(() => reject(error));
      }
    }
  });
}
