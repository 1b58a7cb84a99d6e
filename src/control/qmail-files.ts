/** Control files of qmail and its patches that mean nothing to the gateway but may well be there (control-files.md 2). */
export const QMAIL_FILES: ReadonlySet<string> = new Set([
  'badhelonorelay', 'badloadertypes.cdb', 'badmimetypes.cdb', 'bouncefrom', 'bouncehost', 'bouncemaxbytes', 'brtlimit',
  'clientca.pem', 'concurrencylocal', 'concurrencyremote', 'defaultdelivery', 'defaultdomain', 'defaulthost',
  'dh1024.pem', 'dh2048.pem', 'dkimkeys', 'dnsblfailclosed', 'domainkeys', 'doublebouncehost', 'doublebounceto',
  'goodmailfrom', 'goodrcptto', 'idhost', 'locals', 'mfcheck', 'moregoodrcptto.cdb', 'morevalidrcptto.cdb',
  'percenthack', 'plusdomain', 'qmqpservers', 'queuelifetime', 'rejectnullsenders', 'rejectrelaytest', 'rsa512.pem',
  'servercert.pem', 'simversions.cdb', 'spfbehavior', 'spfexp', 'spfguess', 'spfipv6', 'spfrules', 'ssattach',
  'tlsserverciphers', 'validrcptto', 'validrcptto.cdb', 'virtualdomains',
]);
