import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { LAYERS } from '../model/origin.ts';
import { EVENTS } from '../model/record.ts';
import { STAGE_DOC, STAGES } from '../model/stage.ts';
import { SETTING_NAMES, SETTINGS, settingNamed } from '../control/settings.ts';
import type { AnyPlugin } from '../pipeline/run-stage.ts';
import { OWN_RULES, PLUGINS } from '../plugins/list.ts';
import { environmentHeader } from '../qmail/environment.ts';
import { HOME } from './places.ts';

const PRINTED = '<!-- Printed by `npm run docs` from the code’s own tables; do not edit by hand. -->';

/** Every printed page and file: its path below the program's folder, and its text. */
export function docPages(program: Command): ReadonlyMap<string, string> {
  return new Map([
    ['docs/settings.md', settingsPage()],
    ['docs/rules.md', rulesPage()],
    ['docs/events.md', eventsPage()],
    ['docs/commands.md', commandsPage(program)],
    ['native/environment.h', environmentHeader(SETTING_NAMES.flatMap(name => SETTINGS[name].variables))],
  ]);
}

/** `postern docs`: writes the pages; with `checkOnly` says which are not up to date, and gives 1 when any is. */
export async function docs(
  program: Command,
  checkOnly: boolean,
  print: (line: string) => void,
): Promise<number> {
  let stale = 0;
  for (const [path, text] of docPages(program)) {
    const file = join(HOME, path);
    const before = await readFile(file, 'utf8').catch(() => '');
    if (before === text) continue;
    stale++;
    if (!checkOnly) await writeFile(file, text);
    print(checkOnly ? `${path} is not up to date: run npm run docs` : `${path} written`);
  }
  return checkOnly && stale > 0 ? 1 : 0;
}

function page(title: string, intro: string, body: readonly string[]): string {
  return `${[PRINTED, `# ${title}`, intro, ...body].join('\n\n')}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function settingsPage(): string {
  const rows = SETTING_NAMES.map(name => {
    const setting = SETTINGS[name];
    const builtIn = settingNamed(name)?.kind.show(setting.builtIn) ?? '';
    const layers = LAYERS.filter(layer => (setting.layers as readonly string[]).includes(layer)).join(', ');
    const also =
      'alsoFiles' in setting && setting.alsoFiles ? ` (also read as ${setting.alsoFiles.join(', ')})` : '';
    const variables = setting.variables.map(variable => `\`${variable}\``).join(' ');
    return [
      `\`${name}\`${also}`,
      setting.kind.syntax,
      builtIn,
      layers,
      variables,
      setting.usedBy,
      setting.doc,
    ];
  });
  return page(
    'Settings',
    'One setting a file, named for the setting, in the control directory. Layers, weakest first: `default` is the shipped `rules/`, ' +
      '`site` the control directory, `client` a variable in tcp.smtp, `recipient` a `name=value` in simcontrol. ' +
      '`bin/postern config origin NAME` says which file and line gave a value.',
    [table(['setting', 'value', 'built in', 'layers', 'variable', 'used by', 'meaning'], rows)],
  );
}

function rulesPage(): string {
  const sections = PLUGINS.map(listed => {
    const plugin = listed as unknown as AnyPlugin;
    const stages = STAGES.filter(stage => plugin[stage] !== undefined).join(', ');
    const settings =
      plugin.settings.length === 0 ? 'none' : plugin.settings.map(name => `\`${name}\``).join(', ');
    const rules = Object.entries(plugin.rules).map(([rule, info]) => [`\`${rule}\``, info.doc]);
    return [
      `## ${plugin.name}`,
      plugin.doc,
      [
        `- stage: ${stages}; tier: ${plugin.tier}`,
        `- settings: ${settings}`,
        `- when it cannot find out: ${plugin.onError === 'defer' ? 'the mail is deferred' : 'the mail goes on, with the error in the record'}`,
        `- relay clients: ${plugin.sparesRelayClients ? 'not checked' : 'checked too'}`,
      ].join('\n'),
      table(['rule', 'hits when'], rules),
    ].join('\n\n');
  });
  const own = Object.entries(OWN_RULES).map(([rule, doc]) => [`\`${rule}\``, doc]);
  return page(
    'Rules',
    'What each check reports. What a rule does when it hits stands in `rules/actions`, and in a site’s own `actions` on top of it.',
    [
      ...sections,
      '## The gateway itself',
      'Limits and orders that are not a matter of `actions`.',
      table(['rule', 'means'], own),
    ],
  );
}

function eventsPage(): string {
  return page(
    'Events',
    'Every event leaves one record (`bin/postern explain`) and one line in the log, which begins with its name.',
    [
      table(
        ['event', 'meaning'],
        Object.entries(EVENTS).map(([name, doc]) => [`\`${name}\``, doc]),
      ),
      '## Stages',
      table(
        ['stage', 'new at this stage'],
        STAGES.map(stage => [`\`${stage}\``, STAGE_DOC[stage]]),
      ),
    ],
  );
}

function commandsPage(program: Command): string {
  const sections: string[] = [];
  const walk = (command: Command, path: string) => {
    if (command.commands.length > 0) for (const sub of command.commands) walk(sub, `${path} ${sub.name()}`);
    else {
      const usage = command.registeredArguments
        .map(a => (a.required ? `<${a.name()}>` : `[${a.name()}]`))
        .join(' ');
      const options = command.options.map(o => [`\`${o.flags}\``, o.description]);
      sections.push(`## ${[path, usage].filter(Boolean).join(' ')}`, command.description());
      if (options.length > 0) sections.push(table(['option', 'meaning'], options));
    }
  };
  walk(program, 'postern');
  return page('Commands', '`bin/postern COMMAND`. `--help` after any of them prints the same.', sections);
}
