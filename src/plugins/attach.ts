import type { AttachList } from '../control/attach-list.ts';
import type { JudgedFile } from '../mail/mime/judged-files.ts';
import { byteString, judgedFiles } from '../mail/mime/judged-files.ts';
import type { Finding } from '../model/finding.ts';
import type { MimeFacts } from '../model/mime.ts';
import { definePlugin } from './define.ts';

type Rule = 'ATTACH' | 'ATTACH_ARCHIVED';

/**
 * Attachment names as simscan checks them (simscan.md 7.3), under every reading of a name. simscan sees what ripmime
 * unpacks, TNEF and uuencoded files among it, but not inside archives: that is a rule of its own.
 */
export const attach = definePlugin({
  name: 'attach',
  doc: 'Refuses attachments whose name ends with an entry of `attach`: simscan’s ssattach, or `attach=` of simcontrol for the recipient.',
  tier: 'local',
  rules: {
    ATTACH: {
      doc: 'The name of a part, or of a file in TNEF or uuencoded text, ends with an entry of `attach`.',
    },
    ATTACH_ARCHIVED: {
      doc: 'The name of a file inside an archive ends with an entry of `attach`, and `attacharchives` says yes.',
    },
  },
  settings: ['attach', 'attacharchives'],
  onError: 'defer',
  sparesRelayClients: false,
  message(facts, { settings, origin }) {
    const list = settings.attach;
    if (list.size === 0) return [];
    const source = origin('attach');
    const judge = (mime: MimeFacts) => findings(mime, list, settings.attacharchives, source);
    const mime = facts.mime();
    return mime instanceof Promise ? mime.then(judge) : judge(mime);
  },
});

function findings(
  mime: MimeFacts,
  list: AttachList,
  archives: boolean,
  source: string,
): readonly Finding<Rule>[] {
  const found = new Map<Rule, Finding<Rule>>();
  for (const file of judgedFiles(mime)) {
    const rule = file.archived ? 'ATTACH_ARCHIVED' : 'ATTACH';
    if (found.has(rule) || (file.archived && !archives)) continue;
    const match = firstMatch(file, list);
    if (match === null) continue;
    const name = byteString(match.form);
    const detail = `${byteString(match.pattern)}: ${file.place}`;
    found.set(rule, { rule, state: 'hit', value: name, text: name, detail, source });
  }
  return found.size > 0 ? [...found.values()] : [{ rule: 'ATTACH', state: 'pass' }];
}

function firstMatch({ forms }: JudgedFile, list: AttachList): { form: string; pattern: string } | null {
  for (const form of forms) {
    const pattern = list.find(form);
    if (pattern !== null) return { form, pattern };
  }
  return null;
}
