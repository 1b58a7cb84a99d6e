import { readFileSync } from 'node:fs';
import { chmod, chown, lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';

/** A path in a Unix socket address has no room for more (unix(7)). */
const LONGEST_PATH = 107;

/**
 * Makes room for a Unix socket: what a Postern that was killed has left is taken away. Gives what is in the way, or null.
 */
export async function clearSocket(path: string): Promise<string | null> {
  if (Buffer.byteLength(path) > LONGEST_PATH) return `${path}: longer than ${LONGEST_PATH} bytes`;
  const there = await lstat(path).catch(() => null);
  if (there === null) return null;
  if (!there.isSocket()) return `${path}: exists and is no socket`;
  if (await answers(path)) return `${path}: somebody listens there`;
  await unlink(path).catch(() => undefined);
  return null;
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Anything else, a full backlog among it, is somebody's.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

/** Gives the socket its mode and owner (`user`, `user:group`, `:group`; names or numbers). Rejects with what went wrong. */
export async function ownSocket(path: string, mode: number, owner: string): Promise<void> {
  if (owner !== '') {
    const [user = '', group = ''] = owner.split(':');
    const account = user === '' ? null : entryOf('/etc/passwd', user);
    const uid = account?.id ?? -1;
    const gid = group === '' ? (account?.group ?? -1) : entryOf('/etc/group', group).id;
    await chown(path, uid, gid);
  }
  await chmod(path, mode);
}

/** A line of passwd(5) or group(5), by name or number. */
function entryOf(file: string, name: string): { readonly id: number; readonly group: number | null } {
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    const [known, , id, group] = line.split(':');
    if (known !== name && id !== name) continue;
    return { id: Number(id), group: file === '/etc/passwd' ? Number(group) : null };
  }
  if (/^[0-9]+$/.test(name)) return { id: Number(name), group: null };
  throw new Error(`${name} is not in ${file}`);
}
