import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RecordedFinding } from '../../src/model/finding.ts';
import { EICAR, EICAR_NAME, startClamd } from '../support/clamd.ts';
import type { Clamd } from '../support/clamd.ts';
import { GTUBE, sampleMail } from '../support/sample-mail.ts';
import { startRspamd } from '../support/rspamd.ts';
import { startSpamd } from '../support/spamd.ts';
import type { Spamd } from '../support/spamd.ts';
import { mail, VIRUS_MAILS } from '../support/virus-mail.ts';
import type { Mode, ScannerRig, Sent } from './scanner-rig.ts';
import { at, lf, startRig } from './scanner-rig.ts';

/** What our spamd has beside its own rules: a message of the score that a test wants. */
const SCORES = [
  // What they think of our clients would hide it.
  ...['RCVD_ILLEGAL_IP', 'RDNS_NONE', 'HEADER_FROM_DIFFERENT_DOMAINS', 'SPF_NONE'].map(
    rule => `score ${rule} 0.1`,
  ),
  'body POINTS_15 /fifteen points/',
  'score POINTS_15 15',
  'body POINTS_8 /eight points/',
  'score POINTS_8 8',
];

/** Whose preferences our spamd knows. */
const USERS = { joe: 'required_score 1', 'anna@example.com': 'required_score 2' };

const CLEAN = sampleMail();
const VIRUS = mail(EICAR);
const SPAM = sampleMail({ body: `Buy this!\n${GTUBE}\n` });
const FIFTEEN = sampleMail({ body: 'This has fifteen points.\n' });
const EIGHT = sampleMail({ body: 'This has eight points.\n' });
const FORGED = sampleMail({
  headers: [
    'X-Spam-Flag: YES',
    'X-SPAM-Status: Yes, hits=99',
    ' folded=yes',
    'X-Spam-Level:',
    'Content-Type: text/plain',
  ],
});

const POLICIES = [
  'no@example.com:clam=no,spam=no',
  'virus@example.com:clam=yes,spam=no',
  'hold@example.com:clam=yes,spam=no,quarantinemode=quarantine',
  'spam@example.com:clam=no,spam=yes,spam_hits=12',
  'high@example.com:clam=no,spam=yes,spam_hits=2000',
  'low@example.com:clam=no,spam=yes,spam_hits=5.5',
  'engine@example.com:clam=no,spam=yes,spam_hits=0',
  'pass@example.com:clam=no,spam=yes,spam_hits=0,spam_passthru=yes',
  'small@example.com:clam=no,spam=yes,size_limit=300',
  'both@example.com:clam=yes,spam=yes',
  'joe@example.com:clam=no,spam=yes,spamuser=joe',
  'anna@example.com:clam=no,spam=yes',
  'strict@example.com:clam=yes,spam=yes,attach=.bin',
];

/** The example of the HOWTO, with the line of the gateway that it would have had. */
const HOWTO = [
  'postmaster@example.com:clam=yes,spam=no,attach=.txt:.com',
  'example.com:clam=no,spam=yes,attach=.mp3',
  ':clam=yes,spam=yes,trophie=yes,spam_hits=20.1',
];

/** Who writes to whom; what is refused or, of some recipients, held, with `recipients=each` and with `last`. */
const HOWTO_ROWS: readonly {
  readonly from?: string;
  readonly to: readonly string[];
  /** By recipient, in their order: letters of `LETTERS`. */
  readonly each: readonly string[];
  readonly last: string;
}[] = [
  { to: ['u@elsewhere.example'], each: ['VS'], last: 'VS' },
  { to: ['u@example.com'], each: ['S3'], last: 'S3' },
  { to: ['postmaster@example.com'], each: ['VT'], last: 'VT' },
  { to: ['postmaster@example.com', 'u@example.com'], each: ['VT', 'S3'], last: 'S3' },
  { to: ['u@example.com', 'postmaster@example.com'], each: ['S3', 'VT'], last: 'VT' },
  // simscan looks up the sender, too; judging each recipient for itself, nobody's settings are the sender's.
  { from: 'u@example.com', to: ['y@elsewhere.example'], each: ['VS'], last: 'S3' },
];

const LETTERS: Readonly<Record<string, readonly [message: Buffer, rule: string]>> = {
  V: [VIRUS, 'CLAM_VIRUS'],
  S: [SPAM, 'SPAM_HITS'],
  3: [mail(Buffer.from('la la'), 'audio/mpeg; name=song.mp3'), 'ATTACH'],
  T: [mail(Buffer.from('la la'), 'text/plain; name=song.txt'), 'ATTACH'],
};

/** Everything that holds in both modes, with a real clamd and a real spamd. */
export function scannerCases(mode: Mode): void {
  let clamd: Clamd;
  let spamd: Spamd;
  let rig: ScannerRig;
  before(async () => {
    [clamd, spamd] = await Promise.all([startClamd(), startSpamd({ config: SCORES, users: USERS })]);
    rig = await startRig(mode, files());
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
    await spamd[Symbol.asyncDispose]();
    await clamd[Symbol.asyncDispose]();
  });
  const files = () => ({ clamd: at(clamd), spamd: at(spamd), simcontrol: lines(POLICIES) });

  /** Runs `work` with other control files, and puts the old ones back. */
  async function withFiles(
    changed: Readonly<Record<string, string>>,
    work: () => Promise<void>,
  ): Promise<void> {
    const usual: Readonly<Record<string, string>> = files();
    for (const [name, text] of Object.entries(changed)) await rig.gateway.write(name, text);
    assert.equal(await rig.gateway.reload(), 'reloaded');
    try {
      await work();
    } finally {
      for (const name of Object.keys(changed)) {
        const text = usual[name];
        await (text === undefined ? rig.gateway.remove(name) : rig.gateway.write(name, text));
      }
      await rig.gateway.reload();
    }
  }

  for (const { name, message, infected } of VIRUS_MAILS) {
    test(`${mode}: ${name}: ${infected ? 'refused, held or passed as each wants it' : 'passed'}`, async () => {
      const [one, held, two, none] = await Promise.all(
        [
          ['virus@example.com'],
          ['hold@example.com'],
          ['no@example.com', 'virus@example.com'],
          ['no@example.com'],
        ].map(to => rig.send(message, { to })),
      );
      assert.ok(one && held && two && none);
      assert.equal(one.said, infected ? 'refused' : 'accepted', one.text);
      if (infected) assert.equal(one.text, 'Your email was rejected because it contains a virus');
      assert.deepEqual(await outcomes(held), [
        infected ? 'held quarantine CLAM_VIRUS' : 'delivered continue null',
      ]);
      // The client has one answer: who does not ask for clamd gets the message, and the other copy is held.
      const copies = infected || mode === 'behind qmail' ? 1 : 2;
      assert.deepEqual([two.said, two.delivered.length], ['accepted', copies]);
      assert.deepEqual(await outcomes(two), [
        'delivered continue null',
        infected ? 'held reject CLAM_VIRUS' : 'delivered continue null',
      ]);
      const found = (await two.record()).findings.find(
        ({ plugin, state }) => plugin === 'clam' && state !== 'skipped',
      );
      if (infected) assert.deepEqual([found?.value, found?.recipients], [EICAR_NAME, ['virus@example.com']]);
      else assert.match(found?.detail ?? '', /^clean \(clamd \//);
      assert.deepEqual(await about(none, 'clam'), ['CLAM skipped clam=no']);
    });
  }

  test(`${mode}: virusname, dropmsg`, async () => {
    await withFiles({ virusname: 'yes\n' }, async () => {
      const named = await rig.send(VIRUS, { to: ['virus@example.com'] });
      assert.deepEqual(
        [named.said, named.text],
        ['refused', `Your email was rejected because it contains the ${EICAR_NAME} virus`],
      );
    });
    await withFiles({ dropmsg: 'yes\n' }, async () => {
      for (const [message, to, rule] of [
        [VIRUS, 'virus@example.com', 'CLAM_DROPPED'],
        [SPAM, 'spam@example.com', 'SPAM_DROPPED'],
      ] as const) {
        const dropped = await rig.send(message, { to: [to] });
        assert.deepEqual([dropped.said, dropped.delivered], ['accepted', []]);
        assert.equal((await dropped.record()).event, 'message-discarded');
        assert.deepEqual(await outcomes(dropped), [`discarded discard ${rule}`]);
        const both = await rig.send(message, { to: [to, 'no@example.com'] });
        assert.equal(both.delivered.length, 1);
        assert.deepEqual(await outcomes(both), [`discarded discard ${rule}`, 'delivered continue null']);
      }
    });
  });

  test(`${mode}: spam is refused from spam_hits on, in simscan’s words, and marked below it`, async () => {
    const refused = await rig.send(SPAM, { to: ['spam@example.com'] });
    assert.equal(refused.said, 'refused');
    const points = /^Your email is considered spam \((\d+\.\d\d) spam-hits\)$/.exec(refused.text)?.[1];
    assert.ok(Number(points) > 900, refused.text);
    const rows = [
      [CLEAN, 'spam@example.com', null],
      [EIGHT, 'spam@example.com', null],
      [EIGHT, 'low@example.com', 'SPAM_HITS'],
      [FIFTEEN, 'spam@example.com', 'SPAM_HITS'],
      [SPAM, 'high@example.com', null],
      [CLEAN, 'engine@example.com', null],
      [EIGHT, 'engine@example.com', 'SPAM_HITS'],
      [SPAM, 'pass@example.com', null],
      [SPAM, 'no@example.com', null],
    ] as const;
    const judged = rows.map(async ([message, to, decided]) => {
      const sent = await rig.send(message, { to: [to] });
      const record = await sent.record();
      assert.deepEqual([sent.said, record.rule], [decided === null ? 'accepted' : 'refused', decided], to);
      const spam = decided === null && message !== CLEAN && to !== 'no@example.com';
      assert.equal(
        record.findings.some(f => f.rule === 'SPAM_FLAGGED'),
        spam,
        to,
      );
      const [header = ''] = sent.delivered;
      assert.equal(/^X-Spam-Flag: YES$/m.test(header), spam, to);
      assert.equal(/^X-Postern-Verdict: tag; rules=SPAM_FLAGGED$/m.test(header), spam, to);
    });
    await Promise.all(judged);
  });

  test(`${mode}: X-Spam fields say what spamd says, above what came; not a byte below is changed`, async () => {
    const sent = await rig.send(FORGED, { to: ['spam@example.com'] });
    const [got = ''] = sent.delivered;
    const finding = (await sent.record()).findings.find(f => f.rule === 'SPAM');
    const [, score = '', threshold = '', rules = ''] =
      /^ham: (-?[\d.]+) of ([\d.]+) \(spamd [\d.:]+\): (.*)$/.exec(finding?.detail ?? '') ?? [];
    const points = Number(score).toFixed(1);
    const ours = got.slice(0, got.indexOf('X-Spam-Score:')).match(/^Received:/gm)?.length;
    assert.equal(ours, 1, 'directly below our Received');
    assert.match(
      got,
      new RegExp(`^X-Spam-Score: ${points}\nX-Spam-Level: ?\\**\nX-Spam-Status: No, score=${points} `, 'm'),
    );
    const status = /^X-Spam-Status: No, .*(?:\n[\t ].*)*/m.exec(got)?.[0].replace(/\n[\t ]/g, '') ?? '';
    assert.equal(/tests=(\S*?)\s*scanner=/.exec(status)?.[1], rules === 'no rule' ? 'none' : rules);
    assert.match(status, new RegExp(`required=${Number(threshold).toFixed(1)} `));
    const forged = got.match(/^X-SPAM-Status: Yes.*$|^X-Spam-Flag: YES$/gim) ?? [];
    const body = lf(FORGED).toString('latin1');
    if (mode === 'relay') {
      assert.deepEqual(forged, []);
      assert.ok(got.endsWith(body.replace(/^X-Spam-Flag[^]*X-Spam-Level:\n/m, '')));
    } else {
      // What qmail-smtpd brought goes back as it came: theirs are below ours.
      assert.equal(forged.length, 2);
      assert.ok(got.endsWith(body));
    }
    assert.equal((await rig.send(FORGED, { to: ['no@example.com'] })).said, 'accepted');
    const quiet = await rig.send(CLEAN, { to: ['no@example.com'] });
    assert.doesNotMatch(quiet.delivered[0] ?? '', /^X-Spam/m, 'nothing is said of what was not scored');
  });

  test(`${mode}: who wants no score gets a copy that says none, where copies can differ`, async () => {
    const to = ['no@example.com', 'pass@example.com'];
    const { delivered } = await rig.send(SPAM, { to });
    const flags = delivered.map(copy => /^X-Spam-Flag: YES$/m.test(copy));
    assert.equal(flags.filter(Boolean).length, 1);
    assert.equal(flags.length, mode === 'relay' ? 2 : 1);
  });

  test(`${mode}: a relay client’s mail is scanned for viruses and not scored`, async () => {
    const to = ['both@example.com'];
    const spam = await rig.send(SPAM, { to, relayClient: true });
    assert.equal(spam.said, 'accepted');
    assert.deepEqual(await about(spam, 'spam'), ['SPAM skipped relay client']);
    const virus = await rig.send(VIRUS, { to, relayClient: true });
    assert.deepEqual([virus.said, (await virus.record()).rule], ['refused', 'CLAM_VIRUS']);
    await withFiles({ spamrelayclients: 'yes\n' }, async () => {
      const scored = await rig.send(SPAM, { to, relayClient: true });
      assert.deepEqual([scored.said, (await scored.record()).rule], ['refused', 'SPAM_HITS']);
    });
  });

  test(`${mode}: what is too large to be scored says so`, async () => {
    const sent = await rig.send(SPAM, { to: ['small@example.com'] });
    assert.equal(sent.said, 'accepted');
    const [said = ''] = await about(sent, 'spam');
    assert.match(said, /^SPAM skipped size: \d+ bytes, limit 300$/);
  });

  test(`${mode}: what is too large for clamd is marked`, async () => {
    await withFiles({ clambytes: '1024\n' }, async () => {
      const large = mail(Buffer.alloc(2000, 'hello '));
      const sent = await rig.send(large, { to: ['virus@example.com'] });
      assert.match(sent.delivered[0] ?? '', /^X-Postern-Tag: CLAM_SIZE$/m);
      const [said = ''] = await about(sent, 'clam');
      assert.match(said, /^CLAM_SIZE hit clamd: \d+ bytes are more than the 1024 that are sent to it$/);
      assert.equal((await rig.send(VIRUS, { to: ['virus@example.com'] })).said, 'refused');
    });
  });

  test(`${mode}: what is refused anyway is shown to no scanner`, async () => {
    const sent = await rig.send(VIRUS, { to: ['strict@example.com'] });
    assert.deepEqual([sent.said, (await sent.record()).rule], ['refused', 'ATTACH']);
    assert.deepEqual(
      [...(await about(sent, 'clam')), ...(await about(sent, 'spam'))],
      ['clam skipped decided', 'spam skipped decided'],
    );
  });

  test(`${mode}: whose preferences count`, async () => {
    const [joe, anna, other] = ['joe@example.com', 'Anna@example.com', 'spam@example.com'];
    const thresholds = async (...to: readonly string[]) => {
      const sent = await rig.send(CLEAN, { to });
      const all = (await sent.record()).findings.filter(f => f.rule === 'SPAM');
      return all.map(f => /^(?:sp|h)am: \S+ of ([\d.]+) /.exec(f.detail ?? '')?.[1] ?? f.state);
    };
    assert.deepEqual(await thresholds(joe), ['1']);
    assert.deepEqual(await thresholds(anna), ['5']);
    // More than one recipient: nobody's, as simscan has it.
    assert.deepEqual(await thresholds(joe, other), ['5', '5']);
    await withFiles({ spamuserfor: 'group\n', spamcuser: 'yes\n' }, async () => {
      assert.deepEqual(await thresholds(joe, other), ['1', '5']);
      assert.deepEqual(await thresholds(anna), ['2']);
      assert.deepEqual(await thresholds(anna, other), ['5', '5']);
    });
  });

  test(`${mode}: a real rspamd in place of spamd`, async () => {
    await using rspamd = await startRspamd();
    await rig.gateway.remove('spamd');
    try {
      await withFiles({ rspamd: at(rspamd) }, async () => {
        const clean = await rig.send(CLEAN, { to: ['spam@example.com'] });
        assert.match(clean.delivered[0] ?? '', /^X-Spam-Status: No, score=.*(?:\n\t.*)*scanner=rspamd/m);
        const spam = await rig.send(SPAM, { to: ['spam@example.com'] });
        assert.deepEqual([spam.said, (await spam.record()).rule], ['refused', 'SPAM_HITS']);
        // Its own settings, by recipient.
        const engine = await rig.send(SPAM, { to: ['engine@example.com'] });
        assert.deepEqual([engine.said, (await engine.record()).rule], ['refused', 'SPAM_HITS']);
      });
    } finally {
      await rig.gateway.write('spamd', at(spamd));
      await rig.gateway.reload();
    }
  });

  test(`${mode}: quarantinedir has a copy of each refused spam, as it came`, async () => {
    await withFiles({ quarantinedir: 'copies\n' }, async () => {
      await rig.send(SPAM, { to: ['spam@example.com'] });
      await rig.send(VIRUS, { to: ['virus@example.com'] });
      await rig.send(CLEAN, { to: ['spam@example.com'] });
      const folder = join(rig.gateway.state, 'copies');
      const names = await readdir(folder);
      assert.equal(names.length, 1);
      const copy = await readFile(join(folder, names[0] ?? ''), 'latin1');
      assert.ok(copy.endsWith(lf(SPAM).toString('latin1')));
      assert.match(names[0] ?? '', /^msg\.\d+\.\d+\.\d+$/);
    });
  });

  test(`${mode}: spamscore adds the engine’s points to those of our own rules`, async () => {
    const sum = { spamscore: 'yes\n', rejectscore: '15\n', actions: 'HEADER_DATE_MISSING:score 10\n' };
    await withFiles(sum, async () => {
      const undated = Buffer.from(EIGHT.toString('latin1').replace(/^Date: .*\r\n/m, ''), 'latin1');
      const dated = await rig.send(EIGHT, { to: ['pass@example.com'] });
      assert.equal(dated.said, 'accepted');
      assert.match(dated.delivered[0] ?? '', /^X-Postern-Score: \d/m);
      const both = await rig.send(undated, { to: ['pass@example.com'] });
      assert.deepEqual([both.said, (await both.record()).rule], ['refused', 'SCORE']);
    });
  });

  for (const recipients of ['each', 'last'] as const) {
    test(`${mode}: the HOWTO’s example simcontrol, line by line, recipients=${recipients}`, async () => {
      await withFiles({ simcontrol: lines(HOWTO), recipients: `${recipients}\n` }, async () => {
        for (const { from, to, each, last } of HOWTO_ROWS) {
          const rows = Object.entries(LETTERS).map(async ([letter, [message, rule]]) => {
            const sent = await rig.send(message, { to, ...(from === undefined ? {} : { from }) });
            const wanted = to.map((_, i) =>
              (recipients === 'last' ? last : (each[i] ?? '')).includes(letter),
            );
            const all = wanted.every(Boolean);
            const told = `${from ?? 'somebody'} to ${to.join(', ')}: ${letter}`;
            assert.equal(sent.said, all ? 'refused' : 'accepted', told);
            const expected = wanted.map(no => {
              if (!no) return 'delivered continue null';
              return `${all ? 'refused' : 'held'} reject ${rule}`;
            });
            assert.deepEqual(await outcomes(sent), expected, told);
          });
          await Promise.all(rows);
          // Below 20.1, above what is shipped.
          const marked = await rig.send(FIFTEEN, { to });
          assert.equal(marked.said, 'accepted');
        }
      });
    });
  }
}

function lines(list: readonly string[]): string {
  return list.map(line => `${line}\n`).join('');
}

/** What became of each recipient: outcome, verdict, rule. */
async function outcomes(sent: Sent): Promise<string[]> {
  return (await sent.record()).recipients.map(one => `${one.outcome} ${one.verdict} ${one.rule}`);
}

/** The findings of a plugin in short. */
async function about(sent: Sent, plugin: string): Promise<string[]> {
  const short = ({ rule, state, detail = '' }: RecordedFinding) => `${rule} ${state} ${detail}`;
  return (await sent.record()).findings.filter(f => f.plugin === plugin).map(short);
}
