/* Printed by `npm run docs` from src/qmail/environment.ts and the table of settings; do not edit by hand.
 *
 * Names of the environment variables that postern-queue tells the daemon about, when they are set. Names only: what they
 * mean is the daemon's business.
 */
#ifndef POSTERN_ENVIRONMENT_H
#define POSTERN_ENVIRONMENT_H

static const char *const ENVIRONMENT[] = {
  /* tcp-environ(5), ucspi-tcp and ucspi-ssl */
  "PROTO",
  "SSL_CIPHER",
  "SSL_PROTOCOL",
  "TCPLOCALHOST",
  "TCPLOCALIP",
  "TCPLOCALPORT",
  "TCPREMOTEHOST",
  "TCPREMOTEINFO",
  "TCPREMOTEIP",
  "TCPREMOTEPORT",
  "TLS",
  /* qmail-smtpd and its patches */
  "AUTHINFO",
  "HELO",
  "RECIPIENT",
  "REMOTE_USER",
  "SENDER",
  "SMTPAUTHUSER",
  "SMTPHELO",
  /* qmail-inject */
  "MAILHOST",
  "MAILUSER",
  "QMAILHOST",
  "QMAILNAME",
  "QMAILUSER",
  /* the chain of queue programs, and the filters in it */
  "DKIMQUEUE",
  "DKIMSIGN",
  "DKIMVERIFY",
  "DKSIGN",
  "DKVERIFY",
  "QMAILQUEUE",
  "QS_SPAMASSASSIN",
  "SIMSCAN_DEBUG",
  /* settings that a line of tcp.smtp may give to one client */
  "ATTACHARCHIVES",
  "CONCURRENCYPERCLIENT",
  "DATABYTES",
  "DATARATE",
  "DATATIME",
  "DKQUEUE",
  "GREETDELAY",
  "HARDERRORS",
  "LINEBREAKS",
  "MAXCONNIP",
  "MAXMESSAGES",
  "MAXRCPT",
  "NOBADHELO",
  "OBSERVE",
  "QMAILQUEUE_NEXT",
  "QUARANTINEMODE",
  "QUARANTINESCORE",
  "RBLSMTPD",
  "REFUSEAT",
  "REJECTSCORE",
  "RELAYCLIENT",
  "REQUIREHELO",
  "SESSIONTIME",
  "SMTPD_GREETDELAY",
  "SMTPGREETING",
  "SPFBEHAVIOR",
  "SPFEXP",
  "SPFGUESS",
  "SPFRULES",
  "TAGSCORE",
  "TARPITCOUNT",
  "TARPITDELAY",
  "TIMEOUTSMTPD",
};

#endif
