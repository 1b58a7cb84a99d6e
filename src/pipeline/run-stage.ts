import type { Effective } from '../control/effective.ts';
import type { SettingName, SettingValues } from '../control/settings.ts';
import type { AuthenticationQuestion } from '../model/authentication-question.ts';
import type { MessageAuthentication } from '../model/authentication.ts';
import type { SigningOrder, SigningOutcome } from '../model/dkim-signing.ts';
import type { Dns } from '../model/dns.ts';
import type { Finding, RecordedFinding } from '../model/finding.ts';
import type { Message } from '../model/message.ts';
import type { Plugin, StageFacts, Tier, Tools } from '../model/plugin.ts';
import type { SpamOutcome, SpamQuestion, VirusOutcome } from '../model/scan.ts';
import type { SealingOrder, SealingOutcome } from '../model/sealing.ts';
import type { SpfCheck } from '../model/spf.ts';
import type { Stage } from '../model/stage.ts';
import { STAGES } from '../model/stage.ts';

/** Any plugin, its own types forgotten: the pipeline hands each what it declared and looks no further. */
export type AnyPlugin = Plugin<SettingValues, SettingName>;

/** What plugins are handed besides facts and settings. */
export interface Services {
  readonly dns: Dns;
  /** SPF, whose result is a fact of the transaction. */
  readonly spf: SpfCheck;
  /** Verifies the signatures of a message as it was received; its answers are facts of the message. */
  readonly authenticate: (question: AuthenticationQuestion) => MessageAuthentication;
  /** Signs a message as it goes out; `headerFields`: fields of its header that are looked at. */
  readonly sign: (message: Message, order: SigningOrder, headerFields: number) => Promise<SigningOutcome>;
  readonly seal: (message: Message, order: SealingOrder) => Promise<SealingOutcome>;
  /** Also asked about single files of a message. */
  readonly virus: (message: Pick<Message, 'size' | 'chunks'>, signal: AbortSignal) => Promise<VirusOutcome>;
  readonly score: (message: Message, question: SpamQuestion, signal: AbortSignal) => Promise<SpamOutcome>;
  readonly now: () => number;
}

/** How long the checks of one stage may take, milliseconds; then what has not answered is an error. */
const STAGE_DEADLINE_MS = 60_000;

/** One run of one tier of a stage. */
export interface StageRun<G extends Stage> {
  readonly stage: G;
  readonly tier: Tier;
  readonly facts: StageFacts[G];
  readonly effective: Effective;
  /** Whose signal ends the work early. */
  readonly owner: { readonly signal: AbortSignal };
}

/** Findings; a promise when something had to be waited for. */
type Found = readonly RecordedFinding[] | Promise<readonly RecordedFinding[]>;

/** What came of a tier run for groups: findings for everybody, and those of each group in the groups' order. */
export interface GroupRun {
  readonly shared: readonly RecordedFinding[];
  readonly own: readonly (readonly RecordedFinding[])[];
}

type Cells = { readonly [G in Stage]: { readonly [T in Tier]: AnyPlugin[] } };

function emptyCells(): Cells {
  const row = () => ({ local: [], dns: [], scanner: [] });
  return { connect: row(), helo: row(), mail: row(), rcpt: row(), data: row(), message: row() };
}

/** Plugins by stage and tier, worked out once from the list. */
export class StageTable {
  readonly #cells = emptyCells();
  readonly #services: Services;

  /** `behindQmail`: plugins that make no sense there say so in place of looking. */
  constructor(plugins: readonly AnyPlugin[], services: Services, behindQmail: boolean) {
    this.#services = services;
    for (const plugin of plugins) {
      for (const stage of STAGES) {
        if (plugin[stage] === undefined) continue;
        const why = behindQmail ? plugin.notBehindQmail : undefined;
        this.#cells[stage][plugin.tier].push(why === undefined ? plugin : standIn(plugin, why));
      }
    }
  }

  plugins(stage: Stage, tier: Tier): readonly AnyPlugin[] {
    return this.#cells[stage][tier];
  }

  /**
   * Runs one tier of a stage, all its plugins together. An array when none of them had to wait, which spares the hot
   * path its promises. Never throws or rejects: a plugin that does becomes an `error` finding.
   */
  run<G extends Stage>(run: StageRun<G>): Found {
    return this.#runThese(this.#cells[run.stage][run.tier], run);
  }

  /**
   * Runs one tier of a stage for groups of recipients, at least two. A plugin that reads the same settings for all of
   * them runs once, for everybody; the others run for each group whose settings differ in what they read.
   */
  async runGroups<G extends Stage>(
    run: Omit<StageRun<G>, 'effective'>,
    groups: readonly [Effective, ...Effective[]],
  ): Promise<GroupRun> {
    const [first] = groups;
    const plugins = this.#cells[run.stage][run.tier];
    const differing = plugins.filter(plugin => groups.some(group => !sameFor(plugin, group, first)));
    const common = plugins.filter(plugin => !differing.includes(plugin));
    const shared = this.#runThese(common, { ...run, effective: first });
    const runs = differing.map(plugin => {
      const results: Found[] = [];
      for (const [i, effective] of groups.entries()) {
        const like = groups.findIndex(group => sameFor(plugin, group, effective));
        results.push(like < i ? (results[like] ?? []) : this.#runThese([plugin], { ...run, effective }));
      }
      return results;
    });
    const own = groups.map((_, i) => Promise.all(runs.map(async results => (await results[i]) ?? [])));
    return { shared: await shared, own: (await Promise.all(own)).map(found => found.flat()) };
  }

  #runThese<G extends Stage>(plugins: readonly AnyPlugin[], run: StageRun<G>): Found {
    if (plugins.length === 0) return [];
    const tools = toolsFor(run, this.#services);
    const results = plugins.map(plugin => runOne(plugin, run, tools));
    const settled = results.filter(isSettled);
    if (settled.length === results.length) return settled.flat();
    return Promise.all(results.map(result => Promise.resolve(result))).then(findings => findings.flat());
  }
}

/** The plugin, saying why it does not look. */
function standIn(
  { name, doc, tier, rules, settings, onError, ...plugin }: AnyPlugin,
  why: string,
): AnyPlugin {
  const skipped = () => [{ rule: name, state: 'skipped' as const, detail: why }];
  const looks = STAGES.filter(stage => plugin[stage] !== undefined);
  const about = { name, doc, tier, rules, settings, onError, sparesRelayClients: false };
  return { ...about, ...Object.fromEntries(looks.map(stage => [stage, skipped])) };
}

/** True when the plugin reads the same settings in both. */
function sameFor({ settings }: AnyPlugin, a: Effective, b: Effective): boolean {
  return a === b || settings.every(name => a.values[name] === b.values[name]);
}

function isSettled<T>(result: T | Promise<T>): result is T {
  return !(result instanceof Promise);
}

function toolsFor<G extends Stage>(
  { effective, owner }: StageRun<G>,
  services: Services,
): Tools<SettingValues> {
  return {
    settings: effective.values,
    origin: name => effective.origin(name).place,
    dns: services.dns,
    now: services.now,
    // Asked for by few; a session that nobody asks for it has none.
    get signal() {
      return owner.signal;
    },
  };
}

function runOne<G extends Stage>(
  plugin: AnyPlugin,
  { stage, facts }: StageRun<G>,
  tools: Tools<SettingValues>,
): RecordedFinding[] | Promise<RecordedFinding[]> {
  if (plugin.sparesRelayClients && facts.relayClient) {
    return recorded(plugin, stage, 0, [{ rule: plugin.name, state: 'skipped', detail: 'relay client' }]);
  }
  const start = performance.now();
  const failure = (error: unknown) =>
    recorded(plugin, stage, performance.now() - start, [failed(plugin, error)]);
  try {
    const check = plugin[stage] as (
      facts: StageFacts[G],
      tools: Tools<SettingValues>,
    ) => readonly Finding[] | Promise<readonly Finding[]>;
    const result = check(facts, tools);
    if (!(result instanceof Promise)) return recorded(plugin, stage, performance.now() - start, result);
    // Scanners have limits of their own, and `datatime` is above all of them.
    return (plugin.tier === 'scanner' ? result : withDeadline(result))
      .then(findings => recorded(plugin, stage, performance.now() - start, findings))
      .catch(failure);
  } catch (error) {
    return failure(error);
  }
}

function recorded(
  plugin: AnyPlugin,
  stage: Stage,
  ms: number,
  findings: readonly Finding[],
): RecordedFinding[] {
  const rounded = Math.round(ms * 100) / 100;
  return findings.map(finding => ({ ...finding, stage, plugin: plugin.name, ms: rounded }));
}

function failed(plugin: AnyPlugin, error: unknown): Finding {
  return {
    rule: plugin.name,
    state: 'error',
    detail: error instanceof Error ? error.message : String(error),
  };
}

/** The findings of a tier that nobody runs: by default because the verdict can no longer change. */
export function skippedTier(
  table: StageTable,
  stage: Stage,
  tier: Tier,
  detail = 'decided',
): RecordedFinding[] {
  return table
    .plugins(stage, tier)
    .flatMap(plugin => recorded(plugin, stage, 0, [{ rule: plugin.name, state: 'skipped', detail }]));
}

async function withDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answer within ${STAGE_DEADLINE_MS / 1000} s`)),
      STAGE_DEADLINE_MS,
    );
    timer.unref();
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
