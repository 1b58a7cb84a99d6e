import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteJournal } from '../store/sqlite/journal.ts';
import { WriterLoop } from './writer-loop.ts';
import type { ToWriter } from './writer-messages.ts';

// Entry point of the thread that JournalWriter starts. It owns the one connection that writes.

const port = parentPort;
if (port === null) throw new Error('writer-thread.ts is started by JournalWriter, as a thread');

const { file } = workerData as { readonly file: string };
const loop = new WriterLoop({
  open: () => openSqliteJournal(file),
  tell: message => port.postMessage(message),
});

port.on('message', (message: ToWriter) => {
  switch (message.kind) {
    case 'append':
      return loop.append(message.batch);
    case 'purge':
      return loop.purge(message.beforeMs);
    case 'close':
      return loop.close();
  }
});

await loop.run();
port.close();
