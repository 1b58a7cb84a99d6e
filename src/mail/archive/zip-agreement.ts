import type { ArchiveBytes } from './collected-bytes.ts';
import { DESCRIPTOR_LENGTH, isDescriptor } from './zip-headers.ts';
import type { CentralHeader, LocalHeader } from './zip-headers.ts';

/** Bytes of a zip that are accounted for: from, up to and without to. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Whether an unpacker that goes by the local header sees the same entry. Local sizes may follow the data. */
export function agree(central: CentralHeader, local: LocalHeader): boolean {
  const sizes = local.packed === central.packed && local.size === central.size;
  return (
    local.name.replaceAll('\\', '/') === central.name.replaceAll('\\', '/') &&
    local.method === central.method &&
    local.encrypted === central.encrypted &&
    (sizes || local.descriptor)
  );
}

/**
 * Local header and data of an entry, the data only where a reader from the front would find the same: the local header
 * gives the same size, or a data descriptor behind the data does. Rejects when `file` cannot be read.
 */
export async function accountedFor(
  file: ArchiveBytes,
  central: CentralHeader,
  local: LocalHeader,
): Promise<Span> {
  const from = local.at;
  const dataAt = from + local.length;
  const dataEnd = dataAt + central.packed;
  if (!agree(central, local)) return { from, to: dataAt };
  if (local.packed === central.packed) return { from, to: dataEnd };
  const behind = await file.read(dataEnd, DESCRIPTOR_LENGTH);
  return { from, to: isDescriptor(behind, central.packed) ? dataEnd : dataAt };
}

/** The spans by their beginning. */
export function inOrder(spans: readonly Span[]): Span[] {
  return spans.toSorted((a, b) => a.from - b.from);
}

/** Whether two of `spans`, which are in order, have bytes in common. */
export function overlap(spans: readonly Span[]): boolean {
  return spans.some((span, i) => (spans[i + 1]?.from ?? span.to) < span.to);
}

/** What of `from` up to `to` lies in none of `spans`, which are in order. */
export function between(spans: readonly Span[], from: number, to: number): Span[] {
  const gaps: Span[] = [];
  let at = from;
  for (const span of spans) {
    if (span.from > at) gaps.push({ from: at, to: Math.min(span.from, to) });
    at = Math.max(at, span.to);
  }
  if (at < to) gaps.push({ from: at, to });
  return gaps;
}
