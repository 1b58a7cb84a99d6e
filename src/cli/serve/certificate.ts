import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { SecureContext } from 'node:tls';
import { createSecureContext } from 'node:tls';

/** The files of a certificate and when they were last changed. */
interface Files {
  readonly cert: string;
  readonly key: string;
}

/** Keeps the TLS certificate: reads it at start, and again when its files change. */
export class Certificate {
  #context: SecureContext | null = null;
  #stamp = '';

  get context(): SecureContext | null {
    return this.#context;
  }

  /**
   * Reads the files when they have changed since the last time. Rejects with a clear text when they cannot be used;
   * the certificate that was in use stays in use then.
   */
  async refresh(tlscert: string, tlskey: string, controlDir: string | null): Promise<boolean> {
    if (tlscert === '') {
      this.#context = null;
      this.#stamp = '';
      return false;
    }
    const at = (name: string) => (isAbsolute(name) ? name : join(controlDir ?? '.', name));
    const files: Files = { cert: at(tlscert), key: at(tlskey === '' ? tlscert : tlskey) };
    const stamp = `${await stampOf(files.cert)} ${await stampOf(files.key)}`;
    if (stamp === this.#stamp) return false;
    // Files that cannot be used are not read again until they change once more.
    this.#stamp = stamp;
    try {
      const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)]);
      this.#context = createSecureContext({ cert, key, minVersion: 'TLSv1.2' });
    } catch (error) {
      throw new Error(
        `${files.cert}: no usable certificate and key: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
    return true;
  }
}

async function stampOf(path: string): Promise<string> {
  const info = await stat(path).catch(() => null);
  return info === null ? `${path} missing` : `${path} ${info.ino} ${info.size} ${info.mtimeMs}`;
}
