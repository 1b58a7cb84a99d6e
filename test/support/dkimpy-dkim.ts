import { join } from 'node:path';
import { ROOT, run } from './processes.ts';

/**
 * What dkimpy makes of each DKIM-Signature of each message (CRLF line ends), from the top; RSA and Ed25519. It asks the name
 * server at 127.0.0.1:`port`. Rejects when it cannot say.
 */
export async function dkimpyVerify(
  messages: readonly Buffer[],
  port: number,
): Promise<readonly (readonly boolean[])[]> {
  const input = messages.map(one => `${JSON.stringify({ port, message: one.toString('base64') })}\n`);
  const script = join(ROOT, 'test/support/dkimpy-dkim.py');
  const done = await run('/usr/bin/python3', [script], { input: input.join('') });
  const lines = done.stdout.toString().split('\n').slice(0, -1);
  if (lines.length !== messages.length) throw new Error(`dkimpy: ${done.stderr.toString()}`);
  return lines.map(line => {
    const answer = JSON.parse(line) as readonly boolean[] | { readonly error: string };
    if ('error' in answer) throw new Error(`dkimpy: ${answer.error}`);
    return answer;
  });
}
