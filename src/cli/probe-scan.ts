import type { SettingValues } from '../control/settings.ts';
import { utf8 } from '../journal/printable.ts';
import type { Message } from '../model/message.ts';
import type { ScanError } from '../model/scan.ts';
import { parseScannerAddress } from '../model/scanner-address.ts';
import { Slots } from '../scanners/slots.ts';
import { configure } from './configure.ts';
import type { PlaceOptions } from './places.ts';
import { places } from './places.ts';
import { storedMessage } from './probe-message.ts';
import { Scanners } from './scanners.ts';

type Json = Readonly<Record<string, unknown>>;

/** Requests that are with a scanner at a time; the others wait, however many they are. */
const PARALLEL = 4;

/**
 * The ops `scan`, `spam` and `learn` of `postern probe`, each with a `message` (raw bytes in base64). Who is asked stands in the
 * request (`clamd`, `spamd`, `rspamd`, `rspamdcontroller`: an address as in the setting of that name, or several) or else in the
 * settings of the configuration that `options` name. A scanner that gives no answer is an `error`, never `infected: false`.
 */
export function scannerOps(
  options: PlaceOptions,
): Readonly<Record<string, (request: Json) => Promise<Json>>> {
  const slots = new Slots(PARALLEL, Infinity);
  let site: Promise<SettingValues> | null = null;
  const withScanners = async (
    request: Json,
    work: (message: Message, scanners: Scanners) => Promise<Json>,
  ): Promise<Json> => {
    if (typeof request['message'] !== 'string') return { error: 'message is missing' };
    site ??= siteValues(options);
    const values = { ...(await site), ...asked(request) };
    const release = await slots.take(MAX_WAIT_MS);
    // Scanners of its own: what became of other requests is none of this one's business.
    const scanners = new Scanners(values);
    const message = await storedMessage(request['message']);
    try {
      return await work(message, scanners);
    } finally {
      message.release();
      scanners.close();
      release?.();
    }
  };
  return {
    scan: request =>
      withScanners(request, async (message, { clamd }) => {
        if (clamd === null) return { error: 'no clamd is set' };
        const outcome = await clamd.scan(message);
        if (outcome.kind === 'error') return failed(outcome);
        return outcome.kind === 'clean' ? { infected: false } : { infected: true, virus: outcome.name };
      }),
    spam: request =>
      withScanners(request, async (message, { engine }) => {
        if (engine === null) return { error: NO_ENGINE };
        const outcome = await engine.score(message, { user: userOf(request) });
        if (outcome.kind === 'error') return failed(outcome);
        if (outcome.kind === 'skipped') return { error: outcome.why };
        return { spam: outcome.spam, score: outcome.score };
      }),
    learn: request =>
      withScanners(request, async (message, { engine }) => {
        const { spam } = request;
        if (typeof spam !== 'boolean') return { error: 'spam is missing: true or false' };
        if (engine === null) return { error: NO_ENGINE };
        const outcome = await engine.learn(message, spam ? 'spam' : 'ham', userOf(request));
        return outcome.kind === 'error' ? failed(outcome) : {};
      }),
  };
}

const NO_ENGINE = 'no spamd is set, and no rspamd';
/** As long as a timer can be. */
const MAX_WAIT_MS = 2 ** 31 - 1;

async function siteValues(options: PlaceOptions): Promise<SettingValues> {
  const { configuration, complaints } = await configure(places(options));
  if (configuration === null) throw new Error(complaints.join('; '));
  return configuration.site.values;
}

/** The settings that a request names. Throws an Error for what is no address. */
function asked(request: Json): Partial<SettingValues> {
  const clamd = addresses(request, 'clamd');
  const spamd = addresses(request, 'spamd');
  const rspamd = addresses(request, 'rspamd');
  const rspamdcontroller = addresses(request, 'rspamdcontroller');
  const { rspamdpassword } = request;
  return {
    ...(clamd === null ? {} : { clamd }),
    // One of them scores: a request that names one means that one.
    ...(spamd === null && rspamd === null ? {} : { spamd: spamd ?? [], rspamd: rspamd ?? [] }),
    ...(rspamdcontroller === null ? {} : { rspamdcontroller }),
    ...(typeof rspamdpassword === 'string' ? { rspamdpassword: utf8(rspamdpassword) } : {}),
  };
}

function addresses(request: Json, name: string): string[] | null {
  const given = request[name];
  if (given === undefined) return null;
  const texts: readonly unknown[] = Array.isArray(given) ? given : [given];
  return texts.map(text => {
    if (typeof text !== 'string') throw new Error(`${name}: wanted an address`);
    const parsed = parseScannerAddress(text);
    if ('wanted' in parsed) throw new Error(`${name}: ${parsed.wanted}`);
    return text;
  });
}

function userOf({ user }: Json): string | null {
  return typeof user === 'string' && user !== '' ? utf8(user) : null;
}

function failed({ fault, why }: ScanError): Json {
  return { error: `${fault}: ${why}` };
}
