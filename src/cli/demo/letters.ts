import { signMessage } from '../../auth/sign-message.ts';
import { utf8 } from '../../journal/printable.ts';
import { storedMessage } from '../probe-message.ts';
import { eicar, gtube } from '../telling-messages.ts';
import { zipOf } from './zip.ts';

/** What a message needs to tell anything. */
export type Need = 'clamd' | 'engine';

/** One message of the demonstration, and who brings it. */
export interface DemoLetter {
  readonly chapter: string;
  readonly title: string;
  readonly client: string;
  readonly helo: string;
  readonly sender: string;
  readonly recipient: string;
  /** CRLF lines. */
  readonly message: Buffer;
  readonly needs: Need | null;
}

/** Clients of the documentation's network (RFC 5737) and what they are here. */
export const CLIENTS = {
  /** May send for friend.example. */
  friend: '192.0.2.10',
  stranger: '192.0.2.30',
  /** In the site's `iplist`. */
  listed: '192.0.2.66',
  /** On the DNS list. */
  onDnsList: '192.0.2.77',
} as const;

/** The domain that everything honest comes from; it signs with the selector `demo`. */
export const FRIEND = 'friend.example';
export const SELECTOR = 'demo';
const ME = 'you@example.com';

interface Body {
  readonly from?: string;
  readonly subject: string;
  readonly text?: string;
  /** Fields above the usual ones. */
  readonly above?: readonly string[];
  readonly file?: { readonly name: string; readonly bytes: Buffer };
}

/** The messages in their order. `key`: path of the private key of FRIEND, for the one that it signs. */
export async function demoLetters(key: string): Promise<readonly DemoLetter[]> {
  const virus = Buffer.from(eicar(), 'latin1');
  const chapter = (name: string, ...rows: readonly Omit<DemoLetter, 'chapter'>[]) =>
    rows.map(row => ({ ...row, chapter: name }));
  return [
    ...chapter(
      'Good mail',
      letter('a plain letter', { subject: 'Lunch', text: 'At noon, as ever?' }),
      {
        ...letter('a letter with a DKIM signature', { subject: 'Signed' }),
        message: await signed(mime({ subject: 'Signed', text: 'This is really me.' }), key),
      },
      letter('one that brings its own Authentication-Results', {
        above: ['Authentication-Results: mx.example.com; dkim=pass header.d=bank.example'],
        subject: 'Believe me',
      }),
    ),
    ...chapter(
      'Who may send here',
      from(CLIENTS.listed, letter('a client in `iplist`', { subject: 'Offer' })),
      from(CLIENTS.onDnsList, letter('a client on a DNS list (`rbl`)', { subject: 'Offer' })),
      { ...letter('mail for somebody elsewhere', { subject: 'Relay' }), recipient: 'you@elsewhere.example' },
    ),
    ...chapter(
      'Forged senders',
      from(
        CLIENTS.stranger,
        letter('bank.example, from a client that its SPF record forbids', {
          from: 'service@bank.example',
          subject: 'Your account',
        }),
        'service@bank.example',
      ),
      from(
        CLIENTS.stranger,
        letter('bank.example in From only; its DMARC policy is reject', {
          from: 'service@bank.example',
          subject: 'Your account',
        }),
        'a@stranger.example',
      ),
      from(
        CLIENTS.stranger,
        letter('shop.example in From only; its policy is quarantine', {
          from: 'sales@shop.example',
          subject: 'Your order',
        }),
        'a@stranger.example',
      ),
    ),
    ...chapter(
      'Attachments and headers',
      letter('a file called invoice.pdf.exe', {
        subject: 'Invoice',
        file: { name: 'invoice.pdf.exe', bytes: Buffer.from('MZ') },
      }),
      letter('a script in a zip in a zip', {
        subject: 'Invoice',
        file: { name: 'all.zip', bytes: zipOf('inner.zip', zipOf('invoice.js', Buffer.from('1;'))) },
      }),
      letter('a Korean advertisement, its Subject in base64', {
        subject: `=?UTF-8?B?${Buffer.from('(광고) 특별 할인').toString('base64')}?=`,
      }),
      letter('a message that goes round in circles', {
        above: Array.from({ length: 51 }, (_, i) => `Received: from hop${i}.example by hop${i + 1}.example`),
        subject: 'Hello again',
      }),
    ),
    ...chapter(
      'Viruses (EICAR, the harmless test file)',
      ...[
        ['as it is', 'report.dat', virus],
        ['in a zip', 'report.zip', zipOf('report.dat', virus)],
        ['in a zip in a zip', 'reports.zip', zipOf('report.zip', zipOf('report.dat', virus))],
      ].map(([how, name, bytes]) =>
        needing(
          'clamd',
          letter(`EICAR ${String(how)}`, { subject: 'Report', file: { name, bytes } as File }),
        ),
      ),
    ),
    ...chapter(
      'Spam (GTUBE, the test string)',
      needing('engine', letter('GTUBE in the text', { subject: 'Buy now', text: gtube() })),
    ),
  ];
}

type File = NonNullable<Body['file']>;

function letter(title: string, body: Body): Omit<DemoLetter, 'chapter'> {
  return {
    title,
    client: CLIENTS.friend,
    helo: `mail.${FRIEND}`,
    sender: `ann@${FRIEND}`,
    recipient: ME,
    message: Buffer.from(mime(body), 'latin1'),
    needs: null,
  };
}

function from(
  client: string,
  row: Omit<DemoLetter, 'chapter'>,
  sender = row.sender,
): Omit<DemoLetter, 'chapter'> {
  return { ...row, client, sender, helo: 'mail.stranger.example' };
}

function needing(needs: Need, row: Omit<DemoLetter, 'chapter'>): Omit<DemoLetter, 'chapter'> {
  return { ...row, needs };
}

let count = 0;

/** A message as a byte string. */
function mime({ above = [], from: author = `Ann <ann@${FRIEND}>`, subject, text, file }: Body): string {
  const head = [
    ...above,
    `From: ${author}`,
    `To: <${ME}>`,
    `Subject: ${subject}`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <demo.${++count}.${Date.now().toString(36)}@${FRIEND}>`,
    'MIME-Version: 1.0',
  ];
  const words = ['Content-Type: text/plain; charset=utf-8', '', utf8(text ?? 'Please have a look.')];
  if (file === undefined) return [...head, ...words, ''].join('\r\n');
  return [
    ...head,
    'Content-Type: multipart/mixed; boundary="=_demo"',
    '',
    '--=_demo',
    ...words,
    '--=_demo',
    `Content-Type: application/octet-stream; name="${file.name}"`,
    `Content-Disposition: attachment; filename="${file.name}"`,
    'Content-Transfer-Encoding: base64',
    '',
    file.bytes.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n'),
    '--=_demo--',
    '',
  ].join('\r\n');
}

/** With a DKIM signature on top, as the gateway itself signs outgoing mail. */
async function signed(text: string, key: string): Promise<Buffer> {
  const bytes = Buffer.from(text, 'latin1');
  const { fields } = await signMessage(
    await storedMessage(bytes.toString('base64')),
    { dkimSign: key, dkimKeys: null, words: {}, excluded: new Set(), dkSign: null, dkComment: false },
    { folder: '/', now: Date.now(), headerFields: 100 },
  );
  return Buffer.concat([Buffer.from(fields, 'latin1'), bytes]);
}
