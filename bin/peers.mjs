// The Debian programs that the tests talk to, real mail programs in place of mocks, and the compilers of native/.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import process from 'node:process';

/** Program, or file that is there with it, to Debian package. */
const PEERS = {
  'smtp-sink': 'postfix',
  'smtp-source': 'postfix',
  rbldnsd: 'rbldnsd',
  swaks: 'swaks',
  tcpserver: 'ucspi-tcp',
  rblsmtpd: 'ucspi-tcp',
  tcprules: 'ucspi-tcp',
  maildrop: 'maildrop',
  procmail: 'procmail',
  openssl: 'openssl',
  xz: 'xz-utils',
  tnef: 'tnef',
  zip: 'zip',
  softlimit: 'daemontools',
  'qpsmtpd-forkserver': 'qpsmtpd',
  gcc: 'gcc',
  '/usr/include/stdlib.h': 'libc6-dev',
  'musl-gcc': 'musl-tools',
  '/usr/share/perl5/Mail/DKIM.pm': 'libmail-dkim-perl',
  opendkim: 'opendkim',
  'opendkim-testmsg': 'opendkim-tools',
  arcsign: 'python3-dkim',
  '/usr/lib/python3/dist-packages/authres': 'python3-authres',
  valgrind: 'valgrind',
  strace: 'strace',
  clamd: 'clamav-daemon',
  clamdscan: 'clamdscan',
  '/usr/share/clamav-testfiles': 'clamav-testfiles',
  spamd: 'spamd',
  spamc: 'spamc',
  rspamd: 'rspamd',
};

/** Debian asks this before it starts a service that it has just installed; 101 means "not here". */
const POLICY = '/usr/sbin/policy-rc.d';

/**
 * True when every peer is in one of `folders`, if need be after installing it: root on Debian installs, everyone else is
 * told what to type. `say` takes a line for the person who waits.
 */
export function providePeers(folders, say) {
  const present = name =>
    isAbsolute(name) ? existsSync(name) : folders.some(folder => existsSync(join(folder, name)));
  const missing = () => Object.keys(PEERS).filter(name => !present(name));
  const before = missing();
  if (before.length === 0) return true;

  const packages = [...new Set(before.map(name => PEERS[name]))];
  const byHand = `apt-get install --no-install-recommends ${packages.join(' ')}`;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say(`installing what the tests talk to: ${packages.join(' ')}`);
    const trouble = aptInstall(packages);
    if (trouble !== null) say(`apt-get failed:\n${trouble}`);
  }
  const after = missing();
  if (after.length === 0) return true;
  say(`the tests need ${after.join(', ')}; on Debian: ${byHand}`);
  return false;
}

/** Ctrl-C ends apt-get; we go on, to take the policy file away again. */
function goOn() {}

/** Installs without questions, without starting a service, without removing a package. Null, or what went wrong. */
function aptInstall(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  // --no-remove: postfix would otherwise displace the mail server of the machine.
  const install = ['install', '-y', '--no-remove', '--no-install-recommends', ...packages];
  if (packages.includes('postfix')) {
    const input = 'postfix postfix/main_mailer_type select No configuration\n';
    spawnSync('debconf-set-selections', [], { input, env });
  }
  const ownPolicy = !existsSync(POLICY);
  process.on('SIGINT', goOn);
  if (ownPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    // A fresh machine has no package lists yet, an old one has stale ones: a second try comes after an update.
    const tries = [[install], [['update'], install]];
    let trouble = '';
    for (const commands of tries) {
      trouble = '';
      for (const args of commands) {
        const done = spawnSync('apt-get', ['-q', ...args], {
          env,
          stdio: ['ignore', 'pipe', 'pipe'],
          encoding: 'utf8',
        });
        if (done.status !== 0) trouble += done.error?.message ?? done.stderr;
      }
      if (trouble === '') return null;
    }
    return trouble.trimEnd();
  } finally {
    if (ownPolicy) rmSync(POLICY, { force: true });
    process.off('SIGINT', goOn);
  }
}
