/** What became of a recipient's copy in the quarantine; one closed list. */
export const HELD_STATES = {
  held: 'waits for somebody to decide',
  releasing: 'is on its way to the next hop, or was when the release broke off',
  released: 'the next hop has taken it',
  deleted: 'was deleted by an administrator',
  expired: 'was kept as long as `quarantinedays` says',
} as const;

export type HeldState = keyof typeof HELD_STATES;

/** True for a word that is one of them. */
export function isHeldState(word: string): word is HeldState {
  return Object.hasOwn(HELD_STATES, word);
}
