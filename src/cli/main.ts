import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Compiled code is kept for the next start, where the folder can be written; otherwise nothing happens.
enableCompileCache(join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'postern'));

const [, , name, ...rest] = process.argv;
if (name === 'rblsmtpd') {
  // Runs once a connection under tcpserver and has options of its own: nothing else is loaded for it.
  const { rblsmtpd } = await import('./rblsmtpd.ts');
  await rblsmtpd(rest, process.env);
} else {
  const { commands } = await import('./commands.ts');
  await commands().parseAsync();
}
