import { asciiJson, time } from '../journal/explain.ts';
import { printable } from '../journal/printable.ts';
import { table } from '../journal/table.ts';
import { HeldFiles } from '../quarantine/files.ts';
import type { HeldFile } from '../quarantine/held-file.ts';
import type { PlaceOptions } from './places.ts';
import type { ShowOptions } from './quarantine-options.ts';
import { EXIT, withConfiguration } from './quarantine-open.ts';
import { quarantineFolder } from './places.ts';

/** `postern quarantine show`: needs the file alone, so it works without an index, too. */
export async function quarantineShow(
  id: string,
  options: PlaceOptions & ShowOptions,
  print: (line: string) => void,
): Promise<number> {
  return withConfiguration(options, async (configuration, where) => {
    const files = new HeldFiles(quarantineFolder(where, configuration.site.values));
    const { file, path } = await files.open(id, 'r');
    await using open = file;
    if (options.raw) return await raw(open);
    if (options.json) {
      const header = (await open.header()).toString('latin1');
      print(asciiJson({ ...open.head, path, hasContent: open.hasContent, header }));
    } else for (const line of await lines(file, path)) print(line);
    return EXIT.OK;
  });
}

/** Writes the message as it was received. Rejects before the first byte when it is not intact. */
async function raw(file: HeldFile): Promise<number> {
  const { message } = await file.message();
  for await (const piece of message.chunks()) {
    // process.stdout tells of a slow reader with `false`; the callback comes when the piece is on its way.
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(piece, error => (error ? reject(error) : resolve()));
    });
  }
  return EXIT.OK;
}

async function lines(file: HeldFile, path: string): Promise<string[]> {
  const { head } = file;
  const { parameters } = head;
  const said = [
    parameters.size === null ? '' : `SIZE=${parameters.size}`,
    parameters.body === null ? '' : `BODY=${parameters.body}`,
    parameters.smtputf8 ? 'SMTPUTF8' : '',
  ].filter(word => word !== '');
  const facts = [
    ['id', head.id],
    ['held', time(head.time)],
    ['file', printable(path)],
    ['client', head.clientIp === null ? 'none: handed over on this host' : printable(head.clientIp)],
    ['HELO', head.helo === null ? 'none' : printable(head.helo)],
    ['sender', head.sender === null ? '<> (null sender)' : `<${printable(head.sender)}>`],
    ...(said.length > 0 ? [['parameters', said.join(' ')]] : []),
    ['size', `${head.content.size} bytes`],
  ];
  const recipients = head.recipients.map(r => [
    `<${printable(r.address)}>${r.forwarded === r.address ? '' : ` as <${printable(r.forwarded)}>`}`,
    printable(r.verdict),
    printable(r.rule),
    r.state,
    time(r.since),
  ]);
  const header = (await file.header()).toString('latin1').split('\r\n').slice(0, -1);
  return [
    ...table(facts),
    '',
    'Recipients',
    ...table([['address', 'verdict', 'rule', 'state', 'since'], ...recipients], '  '),
    '',
    ...(file.hasContent
      ? ['Header', ...header.map(line => `  ${printable(line)}`)]
      : ['The contents were removed.']),
    '',
    `All findings: postern explain ${head.record.id}`,
  ];
}
