import process from 'node:process';

const [, , name, ...rest] = process.argv;
if (name === 'rblsmtpd') {
  // Runs once a connection under tcpserver and has options of its own: nothing else is loaded for it.
  const { rblsmtpd } = await import('./rblsmtpd.ts');
  await rblsmtpd(rest, process.env);
} else {
  const { commands } = await import('./commands.ts');
  await commands().parseAsync();
}
