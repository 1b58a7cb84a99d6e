// What a queue program in Node costs that is started for each message, before it has looked at anything: it reads
// descriptors 0 and 1, and gives both to the next program, $NEXT. No policy, no package.
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import process from 'node:process';
import { buffer } from 'node:stream/consumers';

const message = await buffer(createReadStream('', { fd: 0 }));
const envelope = await buffer(createReadStream('', { fd: 1 }));
const next = spawn(process.env.NEXT, [], { stdio: ['pipe', 'pipe', 'inherit'] });
next.stdin.end(message);
// Its descriptor 1 is for reading, and ours is a socket that goes both ways.
next.stdout.end(envelope);
next.on('exit', code => process.exit(code ?? 71));
