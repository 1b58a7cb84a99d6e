import { join } from 'node:path';
import { ROOT, run } from './processes.ts';

/**
 * What dkimpy makes of each DKIM-Signature of a message (CRLF line ends), from the top; RSA and Ed25519. It asks the name
 * server at 127.0.0.1:`port`. Rejects when it cannot say.
 */
export async function dkimpyVerify(message: Buffer, port: number): Promise<readonly boolean[]> {
  const input = `${JSON.stringify({ port, message: message.toString('base64') })}\n`;
  const done = await run('/usr/bin/python3', [join(ROOT, 'test/support/dkimpy-dkim.py')], { input });
  const answer = JSON.parse(done.stdout.toString() || 'null') as
    | readonly boolean[]
    | { error: string }
    | null;
  if (answer === null || 'error' in answer)
    throw new Error(`dkimpy: ${answer?.error ?? done.stderr.toString()}`);
  return answer;
}
