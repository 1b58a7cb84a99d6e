import { simpleParser } from 'mailparser';
import PostalMime from 'postal-mime';

/** What another reader of mail sees. */
export interface Second {
  readonly reader: string;
  /** Names of attachments, those in attached messages too. */
  readonly names: readonly string[];
}

/** The named attachments that mailparser and postal-mime see; one that gives up sees none. */
export async function namesOfOthers(message: Buffer): Promise<Second[]> {
  return [
    { reader: 'mailparser', names: await mailparserNames(message, 0) },
    { reader: 'postal-mime', names: await postalNames(message, 0) },
  ];
}

/** Attached messages are opened as deep as this. */
const MAX_DEPTH = 5;

async function mailparserNames(message: Buffer, depth: number): Promise<string[]> {
  const names: string[] = [];
  try {
    const { attachments } = await simpleParser(message, {
      skipHtmlToText: true,
      skipTextToHtml: true,
      skipImageLinks: true,
    });
    for (const { filename, contentType, content } of attachments) {
      if (filename !== undefined && filename !== '') names.push(filename);
      if (contentType === 'message/rfc822' && depth < MAX_DEPTH)
        names.push(...(await mailparserNames(content, depth + 1)));
    }
  } catch {
    return names;
  }
  return names;
}

async function postalNames(message: Buffer, depth: number): Promise<string[]> {
  const names: string[] = [];
  try {
    const { attachments } = await new PostalMime({ forceRfc822Attachments: true }).parse(message);
    for (const { filename, mimeType, content } of attachments) {
      if (filename !== null && filename !== '') names.push(filename);
      if (mimeType === 'message/rfc822' && depth < MAX_DEPTH)
        names.push(...(await postalNames(Buffer.from(content as ArrayBuffer), depth + 1)));
    }
  } catch {
    return names;
  }
  return names;
}
