/** The four layers of settings, weakest first. */
export const LAYERS = ['default', 'site', 'client', 'recipient'] as const;

export type Layer = (typeof LAYERS)[number];

/** Where a value comes from. */
export interface Origin {
  readonly layer: Layer;
  /** `rules/databytes:1`, `/etc/tcp.smtp:14`, or `built in`. */
  readonly place: string;
}

/** Something wrong with, or odd about, a configuration file. */
export interface Complaint {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** 1-based; 0 when the whole file is meant. */
  readonly line: number;
  /** What is wrong, and what was wanted. */
  readonly text: string;
}

/** `file:line: text`, the one form in which complaints are shown. */
export function complaintText(c: Complaint): string {
  const place = c.line > 0 ? `${c.file}:${c.line}` : c.file;
  return c.severity === 'warning' ? `${place}: warning: ${c.text}` : `${place}: ${c.text}`;
}
