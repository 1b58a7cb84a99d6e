import type { Client } from '../model/session.ts';

/**
 * Why nobody has to be asked who stands behind a message: it came over no network, or from this host itself, whose mail
 * nobody else vouches for. Null: it came from elsewhere.
 */
export function fromHere(client: Client | null): string | null {
  if (client === null) return 'no client';
  return client.ip.startsWith('127.') || client.ip === '::1' ? 'this host' : null;
}
