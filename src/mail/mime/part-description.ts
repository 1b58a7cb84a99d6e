import type { AnomalyName, FileName } from '../../model/mime.ts';
import { fileNames } from './file-names.ts';
import { nameAnomalies } from './name-anomalies.ts';
import type { Parameterised } from './parameterised.ts';
import type { ContentField, ContentFieldName } from './part-header.ts';
import { parseField } from './simple-field.ts';
import { readEncoding } from './transfer-decoders.ts';
import type { Coding, EncodingReading } from './transfer-decoders.ts';

/** One way to read the body of a part. */
export interface BodyReading {
  readonly kind: 'leaf' | 'multipart' | 'message';
  readonly coding: Coding;
  /** Of a multipart: as it was declared; null: the reader guesses it from the first line that looks like a delimiter. */
  readonly boundary: string | null;
}

/** What the header of a part says, under every plausible reading. */
export interface PartDescription {
  readonly type: string;
  readonly types: readonly string[];
  readonly charset: string | null;
  readonly disposition: string;
  readonly encoding: string;
  readonly names: readonly FileName[];
  /** At least one; that of most readers first. */
  readonly readings: readonly BodyReading[];
  readonly anomalies: readonly { readonly rule: AnomalyName; readonly detail: string }[];
}

/** More readings than this of one body are not followed. */
const MAX_READINGS = 8;

/** RFC 2046 5.1.1: `bchars`, at most 70, the last one no blank. */
const BOUNDARY = /^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/;

/** Types whose body begins with another header (RFC 2046 5.2, RFC 6532 3.7, RFC 5537 for news). */
const MESSAGE = /^message\/(?:rfc822|global|news|partial|external-body)$/;

const PLAIN: Parameterised = { value: '', parameters: [], valid: true };

const UNNAMED: PartDescription = {
  type: 'text/plain',
  types: ['text/plain'],
  charset: null,
  disposition: '',
  encoding: '',
  names: [],
  readings: [{ kind: 'leaf', coding: 'none', boundary: null }],
  anomalies: [],
};

/** Descriptions of text without a name, by the fields that say so: they are the same in most mail. */
const recurring = new Map<string, PartDescription>();
const MAX_RECURRING = 256;
const MAX_KEY = 160;

/**
 * What these fields say about a part. `inDigest`: it stands in a multipart/digest, so that its type is message/rfc822
 * when it has none (RFC 2046 5.1.5). Never throws.
 */
export function describePart(fields: readonly ContentField[], inDigest: boolean): PartDescription {
  if (inDigest) return described(fields, true);
  if (fields.length === 0) return UNNAMED;
  let key = '';
  for (const { name, value } of fields) key += `${name}:${value}\n`;
  const known = recurring.get(key);
  if (known !== undefined) return known;
  const description = described(fields, false);
  if (key.length > MAX_KEY || description.names.length > 0 || description.readings[0]?.kind !== 'leaf')
    return description;
  if (recurring.size >= MAX_RECURRING) recurring.clear();
  recurring.set(key, description);
  return description;
}

function described(fields: readonly ContentField[], inDigest: boolean): PartDescription {
  const anomalies: { rule: AnomalyName; detail: string }[] = [];
  const note = (rule: AnomalyName, detail: string) => {
    if (!anomalies.some(one => one.rule === rule)) anomalies.push({ rule, detail: detail.slice(0, 200) });
  };
  const typeValues = valuesOf(fields, 'content-type');
  const types = typeValues.map(parseField);
  const encodings = valuesOf(fields, 'content-transfer-encoding').map(readEncoding);
  const dispositions = valuesOf(fields, 'content-disposition').map(parseField);
  for (const { name, value } of fields)
    if (/[\x80-\xff]/.test(value)) note('MIME_8BIT_HEADER', `${name}: ${value}`);
  if (types.length > 1) note('MIME_TYPE_MANY', types.map(one => one.value).join(', '));
  if (encodings.length > 1) note('MIME_ENCODING_MANY', encodings.map(one => one.name).join(', '));
  if (dispositions.length > 1) note('MIME_DISPOSITION_MANY', dispositions.map(one => one.value).join(', '));
  for (const one of encodings) if (!one.known) note('MIME_ENCODING_UNKNOWN', one.name);
  for (const one of types) {
    if (!one.valid || !/^[^/]+\/[^/]+$/.test(one.value)) note('MIME_TYPE_INVALID', one.value);
    if (one.value === 'message/partial') note('MIME_PARTIAL', '');
    if (one.value === 'message/external-body') note('MIME_EXTERNAL', '');
  }
  for (const value of typeValues)
    if (/^[^;/]{0,100}(?:\s\/|\/\s)/.test(value)) note('MIME_TYPE_INVALID', value);
  const names = fileNames(
    dispositions,
    types,
    valuesOf(fields, 'content-description')[0] ?? null,
    valuesOf(fields, 'content-location')[0] ?? null,
  );
  if (names.length > 0) for (const { rule, detail } of nameAnomalies(names)) note(rule, detail);
  const readings = bodyReadings(types, encodings, inDigest, names.length > 0, note);
  const shown = distinct(types.map(one => shownType(one.value)));
  if (shown.length === 0) shown.push(inDigest ? 'message/rfc822' : 'text/plain');
  return {
    type: shown[0] ?? 'text/plain',
    types: shown,
    charset: parameterOf(types, 'charset')?.toLowerCase() ?? null,
    disposition: dispositions[0]?.value ?? '',
    encoding: encodings[0]?.name ?? '',
    names,
    readings,
    anomalies,
  };
}

type Note = (rule: AnomalyName, detail: string) => void;

function bodyReadings(
  types: readonly Parameterised[],
  encodings: readonly EncodingReading[],
  inDigest: boolean,
  named: boolean,
  note: Note,
): BodyReading[] {
  const codings: Coding[] = distinct(encodings.flatMap(one => one.codings));
  if (codings.length === 0) codings.push('none');
  const readings: BodyReading[] = [];
  const add = (kind: BodyReading['kind'], coding: Coding, boundary: string | null = null) => {
    if (readings.length >= MAX_READINGS) return;
    if (readings.some(one => one.kind === kind && one.coding === coding && one.boundary === boundary)) return;
    readings.push({ kind, coding, boundary });
  };
  const encoded = codings.filter(coding => coding !== 'none');
  for (const type of types.length > 0 ? types : [PLAIN]) {
    if (isMultipart(type.value)) {
      if (encoded.length > 0) note('MIME_ENCODED_MULTIPART', encoded.join(', '));
      const boundaries = boundariesOf(type, types, note);
      // Whoever heeds RFC 2045 6.4 looks at the body as it stands, others decode it first.
      for (const coding of distinct<Coding>(['none', ...encoded]))
        for (const boundary of boundaries) add('multipart', coding, boundary);
      // With a name it is a file to those who find no parts in it.
      if (named) for (const coding of encoded) add('leaf', coding);
    } else if (MESSAGE.test(type.value) || (type.value === '' && inDigest)) {
      if (encoded.length > 0) note('MIME_ENCODED_MESSAGE', encoded.join(', '));
      for (const coding of distinct<Coding>([...encoded, 'none'])) add('message', coding);
    } else {
      for (const coding of codings) add('leaf', coding);
      // A type that nobody can read, but a boundary: some go by that.
      if (!/^(?:text|image|audio|video|application|message|font|model)\//.test(type.value)) {
        for (const boundary of declaredBoundaries(type)) add('multipart', 'none', boundary);
      }
    }
  }
  return readings;
}

function boundariesOf(type: Parameterised, all: readonly Parameterised[], note: Note): (string | null)[] {
  let boundaries = declaredBoundaries(type);
  if (type.parameters.some(one => one.name === 'boundary' && one.inComment)) {
    note('MIME_BOUNDARY_COMMENT', boundaries.join(', '));
  }
  if (boundaries.length > 1) note('MIME_BOUNDARY_MANY', boundaries.join(', '));
  if (boundaries.length === 0) {
    note('MIME_BOUNDARY_MISSING', type.value);
    // Some readers put the parameters of all fields together.
    boundaries = distinct(all.flatMap(declaredBoundaries));
  }
  for (const boundary of boundaries) {
    if (boundary.trim() === '') note('MIME_BOUNDARY_EMPTY', '');
    else if (boundary.trim() !== boundary) note('MIME_BOUNDARY_PADDED', boundary);
    else if (!BOUNDARY.test(boundary)) note('MIME_BOUNDARY_INVALID', boundary);
  }
  if (boundaries.length === 0 || boundaries.some(boundary => boundary.trim() === ''))
    return [...boundaries, null];
  return boundaries;
}

/** Those in comments last. */
function declaredBoundaries(type: Parameterised): string[] {
  const all = type.parameters.filter(one => one.name === 'boundary');
  return distinct(
    [...all.filter(one => !one.inComment), ...all.filter(one => one.inComment)].map(one => one.value),
  );
}

function isMultipart(value: string): boolean {
  return /^[^a-z]*multipart(?![a-z0-9-])/.test(value);
}

function shownType(value: string): string {
  if (/^[^/]+\/[^/]+$/.test(value)) return value;
  // RFC 2045 5.2: what has no readable type is text.
  return isMultipart(value) ? 'multipart/mixed' : 'text/plain';
}

function parameterOf(fields: readonly Parameterised[], name: string): string | null {
  for (const { parameters } of fields) {
    const found = parameters.find(one => one.name === name && !one.inComment);
    if (found !== undefined) return found.value;
  }
  return null;
}

function valuesOf(fields: readonly ContentField[], name: ContentFieldName): string[] {
  const values: string[] = [];
  for (const field of fields) if (field.name === name) values.push(field.value);
  return values;
}

function distinct<T>(values: readonly T[]): T[] {
  return values.length < 2 ? [...values] : [...new Set(values)];
}
