import type { RecordedFinding } from '../model/finding.ts';

/** Findings of a stage: those that are there, and a promise while some are still being looked for. */
export class StageFindings {
  done: readonly RecordedFinding[] = [];
  /** Settles, never rejects, when all have arrived; null when there is nothing to wait for. */
  pending: Promise<void> | null = null;

  add(found: readonly RecordedFinding[] | Promise<readonly RecordedFinding[]>): void {
    if (!(found instanceof Promise)) {
      if (found.length > 0) this.done = this.done.length === 0 ? found : [...this.done, ...found];
      return;
    }
    const before = this.pending;
    const all: Promise<void> = found.then(async more => {
      await before;
      this.done = [...this.done, ...more];
      if (this.pending === all) this.pending = null;
    });
    this.pending = all;
  }
}
