/*
 * An SMTP server for tests that brings mail to $QMAILQUEUE exactly as qmail-smtpd of netqmail 1.06 does. Runs under tcpserver.
 *
 *   qmail-smtpd HOME [DESCRIPTOR]
 *
 * HOME is the folder in which the queue program starts (qmail's is /var/qmail), DESCRIPTOR where the custom-error patch
 * listens for a text: 6 is that of notqmail, 4 that of the file shipped with simscan; none is qmail without the patch.
 * RELAYCLIENT, DATABYTES and TCP... mean what they mean to qmail-smtpd; who may relay is not asked, since it is not what is
 * tested here. Order of steps, replies and exit codes: qmail.c and qmail-smtpd.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1024, LINE = 4096, RECIPIENTS = 1 << 18, TIMEOUT = 1200, MOST_HOPS = 100 };

static const char *home;
static int channel = -1; /* descriptor of the custom-error patch, or none */

/* ---- the network, as tcpserver hands it over ---- */

static unsigned char in[65536];
static size_t in_at, in_end;

static void flush(void) {
  if (fflush(stdout) != 0) _exit(1);
}

static void say(const char *reply) {
  printf("%s\r\n", reply);
}

/* The next byte of the client; what was said is sent before waiting for it. A client that is gone ends the program. */
static unsigned char hear(void) {
  if (in_at == in_end) {
    ssize_t got;
    flush();
    alarm(TIMEOUT);
    got = read(0, in, sizeof in);
    if (got <= 0) _exit(1);
    in_at = 0;
    in_end = (size_t)got;
  }
  return in[in_at++];
}

/* ---- qmail.c: one message to the queue program ---- */

static struct {
  pid_t pid;
  int message, envelope, text; /* our ends; text: -1 without the patch */
  int failed;
  FILE *to;
} qq;

/* As much is written at a time as qmail writes. */
static FILE *qq_stream(int descriptor) {
  static char buffer[BUFFER];
  FILE *to = fdopen(descriptor, "w");
  if (to == NULL || setvbuf(to, buffer, _IOFBF, sizeof buffer) != 0) _exit(1);
  return to;
}

static int qq_open(void) {
  int message[2], envelope[2], text[2] = {-1, -1};
  const char *program = getenv("QMAILQUEUE");
  char *arguments[2] = {NULL, NULL};
  if (pipe2(message, O_CLOEXEC) != 0 || pipe2(envelope, O_CLOEXEC) != 0) return -1;
  if (channel >= 0 && pipe2(text, O_CLOEXEC) != 0) return -1;
  arguments[0] = strdup(program != NULL ? program : "bin/qmail-queue");
  qq.pid = vfork();
  if (qq.pid < 0) return -1;
  if (qq.pid == 0) {
    /* Out of the way first: any of the pipes may lie where another belongs. */
    int m = fcntl(message[0], F_DUPFD_CLOEXEC, 20), e = fcntl(envelope[0], F_DUPFD_CLOEXEC, 20);
    int t = channel < 0 ? -1 : fcntl(text[1], F_DUPFD_CLOEXEC, 20);
    if (dup2(m, 0) != 0 || dup2(e, 1) != 1) _exit(120);
    if (channel >= 0 && dup2(t, channel) != channel) _exit(120);
    if (chdir(home) != 0) _exit(61);
    execv(arguments[0], arguments);
    _exit(120);
  }
  free(arguments[0]);
  close(message[0]);
  close(envelope[0]);
  if (channel >= 0) close(text[1]);
  qq.message = message[1];
  qq.envelope = envelope[1];
  qq.text = text[0];
  qq.failed = 0;
  qq.to = qq_stream(qq.message);
  return 0;
}

static void qq_put(const void *bytes, size_t size) {
  if (!qq.failed && fwrite(bytes, 1, size, qq.to) != size) qq.failed = 1;
}

static void qq_byte(unsigned char byte) {
  if (!qq.failed && putc_unlocked(byte, qq.to) == EOF) qq.failed = 1;
}

static void qq_fail(void) {
  qq.failed = 1;
}

/* The message is over, the envelope begins. After a failure nothing more is written to either. */
static void qq_from(const char *sender) {
  if (fclose(qq.to) != 0) qq.failed = 1;
  qq.to = qq_stream(qq.envelope);
  qq_put("F", 1);
  qq_put(sender, strlen(sender) + 1);
}

static const char *meaning(int code) {
  switch (code) {
  case 115: case 11: return "Denvelope address too long for qq (#5.1.3)";
  case 31: return "Dmail server permanently rejected message (#5.3.0)";
  case 51: return "Zqq out of memory (#4.3.0)";
  case 52: return "Zqq timeout (#4.3.0)";
  case 53: return "Zqq write error or disk full (#4.3.0)";
  case 0: if (!qq.failed) return ""; /* fall through */
  case 54: return "Zqq read error (#4.3.0)";
  case 55: return "Zqq unable to read configuration (#4.3.0)";
  case 56: return "Zqq trouble making network connection (#4.3.0)";
  case 61: return "Zqq trouble in home directory (#4.3.0)";
  case 62: case 63: case 64: case 65: case 66: return "Zqq trouble creating files in queue (#4.3.0)";
  case 71: return "Zmail server temporarily rejected message (#4.3.0)";
  case 72: return "Zconnection to mail server timed out (#4.4.1)";
  case 73: return "Zconnection to mail server rejected (#4.4.1)";
  case 74: return "Zcommunication with mail server failed (#4.4.2)";
  case 81: case 91: return "Zqq internal bug (#4.3.0)";
  case 120: return "Zunable to exec qq (#4.3.0)";
  }
  return code >= 11 && code <= 40 ? "Dqq permanent problem (#5.3.0)" : "Zqq temporary problem (#4.3.0)";
}

/* Commits unless something has failed, and waits: first for the end of the text, then for the program. */
static const char *qq_close(void) {
  static char text[256];
  size_t used = 0;
  int status;
  qq_put("", 1);
  if (qq.failed) {
    /* What stdio still holds must not get out: the final NUL may be in it. */
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup3(nowhere, fileno(qq.to), O_CLOEXEC);
    close(nowhere);
  }
  if (fclose(qq.to) != 0) qq.failed = 1;
  if (qq.text >= 0) {
    ssize_t got;
    char rest;
    while (used < sizeof text - 1 && (got = read(qq.text, text + used, sizeof text - 1 - used)) > 0) used += (size_t)got;
    while (used == sizeof text - 1 && read(qq.text, &rest, 1) > 0) {}
    close(qq.text);
  }
  text[used] = '\0';
  if (waitpid(qq.pid, &status, 0) != qq.pid) return "Zqq waitpid surprise (#4.3.0)";
  if (!WIFEXITED(status)) return "Zqq crashed (#4.3.0)";
  if (WEXITSTATUS(status) == 82 && used > 2) return text;
  return meaning(WEXITSTATUS(status));
}

/* ---- qmail-smtpd.c ---- */

static char helo[LINE], sender[LINE], recipients[RECIPIENTS];
static size_t recipients_used;
static int mail_said;
static unsigned long databytes;

static void reset(void) {
  mail_said = 0;
  recipients_used = 0;
}

/* As safeput of received.c. */
static void put_safely(const char *text) {
  for (; *text != '\0'; text++) qq_byte(strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.@%+/=:-", *text) ? (unsigned char)*text : '?');
}

static void put(const char *text) {
  qq_put(text, strlen(text));
}

static const char *variable(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value == NULL ? otherwise : value;
}

static void put_received(int extended) {
  const char *host = variable("TCPREMOTEHOST", "unknown"), *info = getenv("TCPREMOTEINFO");
  char date[64];
  time_t now = time(NULL);
  put("Received: from ");
  put_safely(host);
  if (*helo != '\0' && strcasecmp(helo, host) != 0) {
    put(" (HELO ");
    put_safely(helo);
    put(")");
  }
  put(" (");
  if (info != NULL) {
    put_safely(info);
    put("@");
  }
  put_safely(variable("TCPREMOTEIP", "unknown"));
  put(")\n  by ");
  put_safely(variable("TCPLOCALHOST", variable("TCPLOCALIP", "unknown")));
  put(extended ? " with ESMTP; " : " with SMTP; ");
  strftime(date, sizeof date, "%d %b %Y %H:%M:%S -0000\n", gmtime(&now));
  put(date[0] == '0' ? date + 1 : date);
}

/* Counts Received and Delivered fields as blast does: by the first letters of each line of the header. */
struct hops {
  int in_header, at, received, delivered, count;
};

static void hop_byte(struct hops *hops, unsigned char byte) {
  static const char RECEIVED[] = "received", DELIVERED[] = "delivered";
  if (!hops->in_header) return;
  if (hops->at < 9) {
    int letter = byte | 32;
    if (letter != DELIVERED[hops->at]) hops->delivered = 0;
    if (hops->delivered && hops->at == 8) hops->count++;
    if (hops->at < 8 && letter != RECEIVED[hops->at]) hops->received = 0;
    if (hops->received && hops->at == 7) hops->count++;
    if (hops->at == 0 && byte == '\n') hops->in_header = 0;
  }
  hops->at++;
  if (byte == '\n') {
    hops->at = 0;
    hops->received = hops->delivered = 1;
  }
}

static void put_body(struct hops *hops, unsigned char byte) {
  hop_byte(hops, byte);
  if (databytes > 0 && --databytes == 0) qq_fail();
  qq_byte(byte);
}

/* Reads to the final dot. A bare LF ends the program, and with it the message. */
static int blast(void) {
  struct hops hops = {1, 0, 1, 1, 0};
  enum { BEGIN, TEXT, CR, DOT, DOT_CR } state = BEGIN;
  for (;;) {
    unsigned char byte = hear();
    if (byte == '\n' && state != CR && state != DOT_CR) {
      say("451 See http://pobox.com/~djb/docs/smtplf.html.");
      flush();
      _exit(1);
    }
    switch (state) {
    case BEGIN:
      state = byte == '.' ? DOT : byte == '\r' ? CR : TEXT;
      if (state != TEXT) continue;
      break;
    case TEXT:
      if (byte != '\r') break;
      state = CR;
      continue;
    case CR:
      if (byte == '\n') {
        state = BEGIN;
        break;
      }
      put_body(&hops, '\r');
      if (byte == '\r') continue;
      state = TEXT;
      break;
    case DOT:
      if (byte == '\r') {
        state = DOT_CR;
        continue;
      }
      state = TEXT;
      break;
    case DOT_CR:
      if (byte == '\n') return hops.count;
      put_body(&hops, '.');
      put_body(&hops, '\r');
      if (byte == '\r') {
        state = CR;
        continue;
      }
      state = TEXT;
      break;
    }
    put_body(&hops, byte);
  }
}

static void take_message(int extended) {
  const char *result;
  int hops;
  unsigned long limit = strtoul(variable("DATABYTES", "0"), NULL, 10);
  if (!mail_said) return say("503 MAIL first (#5.5.1)");
  if (recipients_used == 0) return say("503 RCPT first (#5.5.1)");
  mail_said = 0;
  databytes = limit > 0 ? limit + 1 : 0;
  if (qq_open() != 0) return say("451 qqt failure (#4.3.0)");
  say("354 go ahead");
  put_received(extended);
  hops = blast();
  if (hops >= MOST_HOPS) qq_fail();
  qq_from(sender);
  qq_put(recipients, recipients_used);
  result = qq_close();
  if (*result == '\0') {
    printf("250 ok %ld qp %ld\r\n", (long)time(NULL), (long)qq.pid);
    return;
  }
  if (hops >= MOST_HOPS) return say("554 too many hops, this message is looping (#5.4.6)");
  if (limit > 0 && databytes == 0) return say("552 sorry, that message size exceeds my databytes limit (#5.3.4)");
  printf("%s %s\r\n", *result == 'D' ? "554" : "451", result + 1);
}

/* The address between the brackets without its quotes, as addrparse. 0 when there is none. */
static int address(const char *argument, char *to) {
  const char *from = strchr(argument, '<');
  int quoted = 0;
  if (from == NULL) return 0;
  for (from++; *from != '\0' && (quoted || *from != '>'); from++) {
    if (*from == '"') quoted = !quoted;
    else {
      if (*from == '\\' && from[1] != '\0') from++;
      *to++ = *from;
    }
  }
  *to = '\0';
  return 1;
}

static int is(const char *line, const char *verb) {
  size_t length = strlen(verb);
  return strncasecmp(line, verb, length) == 0 && (line[length] == ' ' || line[length] == '\0' || verb[length - 1] == ':');
}

static void obey(const char *line) {
  static int extended;
  if (is(line, "HELO") || is(line, "EHLO")) {
    extended = (*line | 32) == 'e';
    strcpy(helo, line[4] == '\0' ? "" : line + 5);
    reset();
    say(extended ? "250-mail.example.org\r\n250-PIPELINING\r\n250 8BITMIME" : "250 mail.example.org");
  } else if (is(line, "MAIL FROM:")) {
    reset();
    if (!address(line, sender)) return say("555 syntax error (#5.5.4)");
    mail_said = 1;
    say("250 ok");
  } else if (is(line, "RCPT TO:")) {
    char recipient[LINE];
    if (!mail_said) return say("503 MAIL first (#5.5.1)");
    if (!address(line, recipient)) return say("555 syntax error (#5.5.4)");
    if (recipients_used + strlen(recipient) + 2 > sizeof recipients) _exit(1);
    recipients[recipients_used++] = 'T';
    strcpy(recipients + recipients_used, recipient);
    recipients_used += strlen(recipient) + 1;
    say("250 ok");
  } else if (is(line, "DATA")) {
    take_message(extended);
  } else if (is(line, "RSET")) {
    reset();
    say("250 flushed");
  } else if (is(line, "NOOP")) {
    say("250 ok");
  } else if (is(line, "QUIT")) {
    say("221 mail.example.org");
    flush();
    _exit(0);
  } else {
    say("502 unimplemented (#5.5.1)");
  }
}

int main(int argc, char **argv) {
  char line[LINE];
  if (argc < 2) return 100;
  home = argv[1];
  if (argc > 2) channel = atoi(argv[2]);
  signal(SIGPIPE, SIG_IGN);
  say("220 mail.example.org ESMTP");
  for (;;) {
    size_t used = 0;
    unsigned char byte;
    while ((byte = hear()) != '\n') {
      if (used == sizeof line - 1) _exit(1);
      line[used++] = (char)byte;
    }
    if (used > 0 && line[used - 1] == '\r') used--;
    line[used] = '\0';
    obey(line);
  }
}
