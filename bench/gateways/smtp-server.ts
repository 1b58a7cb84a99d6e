import { join } from 'node:path';
import { freePort, startProgram, waitForGreeting } from '../processes.ts';
import type { GatewayKind } from './gateway.ts';

/** A plain relay on npm's smtp-server as it comes: what Postern would cost at the least, were it built on that. */
export const smtpServer: GatewayKind = {
  key: 'smtp-server',
  name: 'smtp-server relay',
  duty: 'relay',
  proxied: false,
  refuses: [],
  unavailable: () => Promise.resolve(null),
  start: async ({ sinkPort, folder }) => {
    const port = await freePort();
    const script = join(import.meta.dirname, 'smtp-server-relay.ts');
    const program = await startProgram(
      process.execPath,
      [script, String(port), String(sinkPort)],
      join(folder, 'smtp-server.log'),
    );
    await waitForGreeting(program, port);
    return { port, program };
  },
};
