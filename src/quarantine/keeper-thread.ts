import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteQuarantine } from '../store/sqlite/quarantine.ts';
import { KeeperLoop } from './keeper-loop.ts';
import type { KeeperSettings, ToKeeper } from './keeper-messages.ts';

// Entry point of the thread that QuarantineKeeper starts.

const port = parentPort;
if (port === null) throw new Error('keeper-thread.ts is started by QuarantineKeeper, as a thread');

const { store, settings } = workerData as { readonly store: string; readonly settings: KeeperSettings };
const loop = new KeeperLoop({
  settings,
  openIndex: () => openSqliteQuarantine(store),
  now: Date.now,
  tell: message => port.postMessage(message),
});

port.on('message', (message: ToKeeper) => {
  switch (message.kind) {
    case 'held':
      return loop.held(message.id);
    case 'catch-up':
      return loop.catchUp();
    case 'configure':
      return loop.configure(message.settings);
    case 'close':
      return loop.close();
  }
});

await loop.run();
port.close();
