/*
 * Names of the environment variables that postern-queue tells the daemon about, when they are set: what tcp-environ(5)
 * defines, what the common patches of qmail-smtpd and the filters in front of qmail-queue read, and the settings that a
 * tcp.smtp line may give to one client. Names only: what they mean is the daemon's business.
 */
#ifndef POSTERN_ENVIRONMENT_H
#define POSTERN_ENVIRONMENT_H

static const char *const ENVIRONMENT[] = {
  /* tcp-environ(5), ucspi-tcp and ucspi-ssl */
  "PROTO",
  "TCPLOCALHOST",
  "TCPLOCALIP",
  "TCPLOCALPORT",
  "TCPREMOTEHOST",
  "TCPREMOTEINFO",
  "TCPREMOTEIP",
  "TCPREMOTEPORT",
  "SSL_CIPHER",
  "SSL_PROTOCOL",
  "TLS",
  /* qmail-smtpd and its patches */
  "AUTHINFO",
  "DATABYTES",
  "HELO",
  "RBLSMTPD",
  "RECIPIENT",
  "RELAYCLIENT",
  "REMOTE_USER",
  "SENDER",
  "SMTPAUTHUSER",
  "SMTPHELO",
  "SPFBEHAVIOR",
  "SPFEXP",
  "SPFGUESS",
  "SPFRULES",
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
  "DKQUEUE",
  "DKSIGN",
  "DKVERIFY",
  "QMAILQUEUE",
  "QMAILQUEUE_NEXT",
  "QS_SPAMASSASSIN",
  "SIMSCAN_DEBUG",
};

#endif
