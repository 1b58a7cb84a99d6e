import type { Dns } from '../../src/model/dns.ts';
import { testKeys, withArc, withDkim, withDomainKeys } from '../support/signed-mail.ts';

/** The message of a case after its lines `dkim`, `domainkeys`, `arc`, `put`, `append`, in their order. */
export async function changed(
  message: string,
  changes: readonly string[],
  dns: Pick<Dns, 'txt'>,
): Promise<string> {
  let text = message;
  for (const change of changes) {
    const [word = '', ...words] = change.split(' ');
    const rest = change.slice(word.length + 1);
    const [domain = '', selector = '', ...more] = words;
    if (word === 'append') text += `${rest}\r\n`;
    else if (word === 'put') text = `${rest}\r\n${text}`;
    else if (word === 'domainkeys') text = await withDomainKeys(text, domain, selector);
    else if (word === 'arc') text = await withArc(text, domain, selector, more.join(' '), dns);
    else {
      const key = more.includes('short') ? testKeys().short : testKeys().rsa;
      const tags = more.filter(one => one.includes('=')).map(one => one.split(/=(.*)/s, 2));
      text = await withDkim(text, domain, selector, Object.fromEntries(tags), key);
    }
  }
  return text;
}

/** `key` and `short-key` in an answer of the DNS stand for what a signer of these lines publishes. */
export function published(answer: string): string {
  if (answer === 'key') return testKeys().record;
  return answer === 'short-key' ? testKeys().shortRecord : answer;
}
