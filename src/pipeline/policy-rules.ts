import type { Effective } from '../control/effective.ts';
import type { Action } from '../model/verdict.ts';
import type { PolicyRules } from '../policy/decide.ts';

const OBSERVE: Action = { kind: 'observe' };
const DEFER: Action = { kind: 'defer', reply: null };

/** Relay control, by rule and by plugin. A dry run of everything (`observe=all`) must not make an open relay. */
const RELAY_CONTROL: ReadonlySet<string> = new Set(['RCPTHOSTS', 'RELAY_PATH', 'rcpthosts']);

const known = new WeakMap<Effective, PolicyRules>();

/**
 * The settings of a client or recipient as the policy wants them. `deferring` names the plugins whose errors defer
 * the mail unless the `actions` file says otherwise.
 */
export function policyRules(effective: Effective, deferring: ReadonlySet<string>): PolicyRules {
  let rules = known.get(effective);
  if (rules === undefined) {
    const { actions, observe, tagscore, quarantinescore, rejectscore, quarantinemode } = effective.values;
    const observed = new Set(observe.map(rule => rule.toUpperCase()));
    const all = observed.has('ALL');
    rules = {
      // A rule without a line in `actions` does nothing but stand in the record.
      action: rule => actions.rules.get(rule)?.action ?? OBSERVE,
      errorAction: plugin => actions.errors.get(plugin)?.action ?? (deferring.has(plugin) ? DEFER : OBSERVE),
      observed: rule => (all && !RELAY_CONTROL.has(rule)) || observed.has(rule),
      tagScore: tagscore,
      quarantineScore: quarantinescore,
      rejectScore: rejectscore,
      messageMode: quarantinemode,
    };
    known.set(effective, rules);
  }
  return rules;
}
