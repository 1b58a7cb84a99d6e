/*
 * postern-queue: stands in for qmail-queue, and lets the Postern daemon decide.
 *
 *   postern-queue                     the message on descriptor 0, the envelope on descriptor 1: what QMAILQUEUE names
 *   postern-queue --shadow PROGRAM    PROGRAM decides and answers; the daemon only looks on
 *   postern-queue --ping              prints the daemon's version and exits 0; exits 111 when it does not answer
 *   postern-queue --version
 *
 * It reads the message and then the envelope to their ends, keeps both in unnamed files and streams them to the daemon's
 * Unix socket. Nothing happens before the envelope's final NUL, which is the caller's commit mark, and the end of file
 * behind it were seen. Then the daemon answers:
 *   yes       its header block is put in front of the message, and the next program is executed in our place, so that
 *             its exit code, its process id, user and limits are what the caller expects of qmail-queue;
 *   accepted  the daemon has dealt with the message: exit 0, and nothing is run;
 *   no        exit 82 with a text, where the caller listens for one, else the exit code that the daemon names.
 * Everything unforeseen ends with an exit code that qmail takes as temporary. There is no policy in this program.
 *
 * Environment:
 *   POSTERN_SOCKET    the daemon's socket; default /run/postern/queue.sock
 *   POSTERN_TIMEOUT   seconds, 1 to 3600, that it waits for the daemon in all: connecting, sending that stalls, the
 *                     answer. Waiting for the caller does not count. Default 300, which is well under the 1200 of
 *                     qmail-smtpd's own timeout; anything else than a number of this range means the default, too.
 *   POSTERN_FAIL      `open`: without a daemon the next program gets message and envelope as they are (see `part`).
 *                     The next program is then $QMAILQUEUE_NEXT, else $DKQUEUE, else bin/qmail-queue.
 *   POSTERN_SHADOW    as `--shadow`, for callers that pass no arguments: QMAILQUEUE is a path
 *   POSTERN_SPOOL     folder for the unnamed files; default /var/tmp. Everyone who injects mail can write there, and it is
 *                     on disk, as the queue is: /tmp may be memory, and TMPDIR is often another user's folder.
 *   ERROR_FD          number of a descriptor on which the caller reads the text of a refusal, beside 6 and 4
 *
 * Exit codes of its own: 51 no memory; 52 not done after 24 hours; 53 a spool file could not be written; 54 reading from
 * the caller failed, or the envelope ended before its final NUL; 71 other trouble; 72 the daemon was silent for too long;
 * 73 there is no daemon; 74 the connection was lost, or the answer makes no sense; 81 used in a wrong way, which only a
 * person can mend; 91 no envelope of qmail's; 120 the next program cannot be executed.
 *
 * It allocates nothing and links against nothing but libc, to fit under `softlimit -m 1000000`. ARCHITECTURE.md describes
 * the protocol; the daemon's side of it is in src/qmail/.
 */
#define _GNU_SOURCE /* O_TMPFILE, mkostemp */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "environment.h"

#ifndef POSTERN_VERSION
#define POSTERN_VERSION "unknown"
#endif
#ifndef POSTERN_SOCKET
#define POSTERN_SOCKET "/run/postern/queue.sock"
#endif
#ifndef POSTERN_SPOOL
#define POSTERN_SPOOL "/var/tmp"
#endif
/* For systems whose headers know O_TMPFILE and whose kernel does not; the tests build it so, too. */
#if defined O_TMPFILE && !defined POSTERN_NAMED_SPOOL
#define UNNAMED_FLAGS (O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC)
#endif

/* qmail-queue's exit codes, as far as they are used here; all of them are temporary. */
enum code {
  NO_MEMORY = 51,
  TOO_SLOW = 52,
  WRITE_ERROR = 53,
  READ_ERROR = 54,
  TROUBLE = 71,
  DAEMON_SILENT = 72,
  DAEMON_ABSENT = 73,
  DAEMON_CUT = 74,
  MISUSE = 81,
  TEXT_FOLLOWS = 82,
  BAD_ENVELOPE = 91,
  NO_PING = 111,
  CANNOT_EXECUTE = 120
};

enum {
  DAY = 24 * 60 * 60,          /* seconds; qmail-queue gives itself as much */
  PATIENCE = 300,              /* seconds */
  PATIENCE_LIMIT = 3600,       /* seconds */
  PING_PATIENCE = 10,          /* seconds: a person waits */
  SHADOW_PATIENCE = 2,         /* seconds by which the daemon may delay the old filter, in all */
  CONNECT_PAUSE = 20,          /* milliseconds between two tries while the daemon's queue of connections is full */
  FRAME_HEAD = 5,              /* one byte type, four bytes length */
  FRAME_LIMIT = 65536,         /* bytes of payload */
  SMALL_FRAMES = 16384,        /* bytes of small frames that are collected before they are sent */
  VALUE_LIMIT = 8192,          /* bytes of a variable's value that the daemon is told */
  ROOM = 65536,                /* bytes in front of the message, for the header block */
  HEADER_LIMIT = 60000,        /* bytes of a header block */
  PATH_LIMIT = 1000,           /* bytes of the next program's path */
  TEXT_LIMIT = 240,            /* bytes of a refusal's text; qmail-smtpd reads 255 with the letter in front */
  TEXT_LEAST = 3,              /* bytes with the letter; the callers take less for none */
  FIRST_OWN_DESCRIPTOR = 7     /* 4 and 6 mean something to callers */
};

/* ---- words for people, and ends ---- */

static int quiet; /* nothing to stderr: somebody reads answers there */

/* Appends `text` to the `used` bytes of a line, as far as it fits; what a terminal could take for a command becomes `?`. */
static size_t append(char *line, size_t used, size_t limit, const char *text) {
  for (; *text != '\0' && used < limit; text++) {
    unsigned char byte = (unsigned char)*text;
    line[used++] = byte < 32 || byte == 127 ? '?' : *text;
  }
  return used;
}

/* One line to the caller's log: `what`, and `about` in front of it unless it is empty. A full pipe is no reason to wait. */
static void complain(const char *about, const char *what) {
  char line[512];
  struct pollfd log = {2, POLLOUT, 0};
  size_t used = append(line, 0, sizeof line - 1, "postern-queue: ");
  if (quiet || poll(&log, 1, 0) != 1 || (log.revents & POLLOUT) == 0) return;
  if (*about != '\0') used = append(line, append(line, used, sizeof line - 1, about), sizeof line - 1, ": ");
  used = append(line, used, sizeof line - 1, what);
  line[used++] = '\n';
  if (write(2, line, used) < 0) return; /* the line is lost, the mail is not */
}

static _Noreturn void die(int code, const char *about, const char *what) {
  complain(about, what);
  _exit(code);
}

/* Writes `value` in decimal to `to`, which holds at least 21 bytes, and returns where it ends. */
static char *decimal(char *to, uintmax_t value) {
  char digits[20];
  size_t used = 0;
  do digits[used++] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  while (used > 0) *to++ = digits[--used];
  *to = '\0';
  return to;
}

/* The decimal number that the variable `name` holds, if it is one from `least` to `most`, else `otherwise`. */
static int number(const char *name, int least, int most, int otherwise) {
  const char *text = getenv(name);
  int value = 0;
  if (text == NULL || *text == '\0') return otherwise;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9' || value > most) return otherwise;
    value = value * 10 + (*text - '0');
  }
  return value < least || value > most ? otherwise : value;
}

static const char *variable(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value == NULL || *value == '\0' ? otherwise : value;
}

/* Takes `name` out of the environment, however often it is there. */
static void forget(const char *name) {
  size_t length = strlen(name);
  char **to = environ;
  for (char **from = environ; *from != NULL; from++)
    if (strncmp(*from, name, length) != 0 || (*from)[length] != '=') *to++ = *from;
  *to = NULL;
}

/* ---- descriptors and signals that the next program must find as the caller left them ---- */

/* Moves a descriptor that was just opened out of the way of the caller's. Negative, with errno, when it was or is none. */
static int own(int descriptor) {
  int high, error;
  if (descriptor < 0 || descriptor >= FIRST_OWN_DESCRIPTOR) return descriptor;
  high = fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_OWN_DESCRIPTOR);
  error = errno;
  close(descriptor);
  errno = error;
  return high;
}

static const int SIGNALS[] = {SIGPIPE, SIGXFSZ, SIGCHLD, SIGALRM};
static struct sigaction inherited[sizeof SIGNALS / sizeof *SIGNALS];
static int own_alarm;

static void out_of_time(int signal) {
  (void)signal;
  _exit(TOO_SLOW);
}

/* A lost reader and a file at its size limit become errors of write; a child's status is kept; 24 hours are enough. */
static void set_signals(void) {
  unsigned left;
  for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIGNALS[i] == SIGALRM ? out_of_time : SIGNALS[i] == SIGCHLD ? SIG_DFL : SIG_IGN;
    sigaction(SIGNALS[i], &action, &inherited[i]);
  }
  left = alarm(DAY);
  own_alarm = left == 0;
  if (!own_alarm) alarm(left); /* exec keeps an alarm: whoever set it wants it */
}

static void restore_signals(void) {
  if (own_alarm) alarm(0);
  for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) sigaction(SIGNALS[i], &inherited[i], NULL);
}

/* ---- spool files ---- */

static struct {
  int message;
  int envelope; /* as the caller wrote it; -1 where nobody can come to need it */
  int answer;   /* the envelope that the daemon hands on */
} spool = {-1, -1, -1};

static off_t message_start; /* where the message begins in its file */

/* A new file that has no name any more; qmail's own queue makes it durable, so nothing here is synced. */
static int spool_file(void) {
  const char *folder = variable("POSTERN_SPOOL", POSTERN_SPOOL);
  static const char NAME[] = "/postern-queue-XXXXXX";
  char path[4096];
  size_t length = strlen(folder);
  int file;
#ifdef UNNAMED_FLAGS
  file = own(open(folder, UNNAMED_FLAGS, 0600));
  if (file >= 0) return file;
#endif
  if (length + sizeof NAME > sizeof path) die(WRITE_ERROR, folder, "too long");
  memcpy(path, folder, length);
  memcpy(path + length, NAME, sizeof NAME);
  file = mkostemp(path, O_CLOEXEC);
  if (file >= 0) unlink(path);
  file = own(file);
  if (file < 0) die(errno == ENOMEM ? NO_MEMORY : WRITE_ERROR, folder, "cannot create a spool file there");
  return file;
}

static void seek(int file, off_t place) {
  if (lseek(file, place, SEEK_SET) != place) die(WRITE_ERROR, "", "cannot seek in a spool file");
}

static void keep(int file, const unsigned char *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(file, bytes, size);
    if (written > 0) {
      bytes += written;
      size -= (size_t)written;
    } else if (written == 0 || errno != EINTR) {
      die(WRITE_ERROR, variable("POSTERN_SPOOL", POSTERN_SPOOL), "cannot write a spool file there");
    }
  }
}

/* Up to `room` bytes from the caller; 0 at the end of file. A descriptor that does not block is waited for. */
static size_t read_caller(int descriptor, unsigned char *to, size_t room) {
  for (;;) {
    ssize_t got = read(descriptor, to, room);
    if (got >= 0) return (size_t)got;
    if (errno == EAGAIN) {
      struct pollfd caller = {descriptor, POLLIN, 0};
      if (poll(&caller, 1, -1) < 0 && errno != EINTR) break;
    } else if (errno != EINTR) {
      break;
    }
  }
  die(READ_ERROR, "", descriptor == 0 ? "cannot read the message" : "cannot read the envelope");
}

/* ---- the envelope ---- */

enum place { SENDER_LETTER, IN_SENDER, RECIPIENT_LETTER, IN_RECIPIENT, COMPLETE, WRONG };

/*
 * Where the envelope `F` sender NUL, any number of `T` recipient NUL, NUL is after one more byte. Bytes behind the final
 * NUL are wrong, although qmail-queue does not look at them: only a caller that has lost count writes them, and then what
 * came before is not to be trusted either.
 */
static enum place after(enum place place, unsigned char byte) {
  switch (place) {
  case SENDER_LETTER: return byte == 'F' ? IN_SENDER : WRONG;
  case IN_SENDER: return byte == '\0' ? RECIPIENT_LETTER : IN_SENDER;
  case RECIPIENT_LETTER: return byte == '\0' ? COMPLETE : byte == 'T' ? IN_RECIPIENT : WRONG;
  case IN_RECIPIENT: return byte == '\0' ? RECIPIENT_LETTER : IN_RECIPIENT;
  case COMPLETE:
  case WRONG: break;
  }
  return WRONG;
}

static enum place after_all(enum place place, const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) place = after(place, bytes[i]);
  return place;
}

/* ---- the connection to the daemon ---- */

static struct {
  int descriptor;      /* -1: never there, or given up, or done */
  int64_t patience;    /* microseconds for which it may still be waited for */
  int listening;       /* an answer may come; not in shadow mode */
  int spoke;           /* a byte of an answer has come */
  int code;            /* why there is no answer, as an exit code; 0 while there may be one */
  int opens;           /* POSTERN_FAIL=open applies */
  const char *reason;
} peer = {.descriptor = -1};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* The connection is not needed any more. */
static void hang_up(void) {
  if (peer.descriptor >= 0) close(peer.descriptor);
  peer.descriptor = -1;
}

/*
 * Gives the daemon up. `opens` says whether POSTERN_FAIL=open applies: when nobody is there (no socket, nobody behind it,
 * nobody who takes the connection), and when the one who was there went away or fell silent before the first byte of an
 * answer, as a daemon does that is killed or hangs. From that byte on there is a decision, which may be a no: what is
 * then cut, late or senseless is never passed, and neither is mail that we may not or cannot ask about because of a
 * mistake in the setup. Those end as temporary failures, and the sender tries again.
 */
static void part(int code, int opens, const char *reason) {
  hang_up();
  peer.code = code;
  peer.opens = opens;
  peer.reason = reason;
}

static void part_lost(void) {
  part(DAEMON_CUT, !peer.spoke, peer.spoke ? "connection lost within the answer" : "connection lost");
}

static void part_silent(void) {
  part(DAEMON_SILENT, !peer.spoke, peer.spoke ? "silent within the answer" : "silent for too long");
}

static void part_garbage(void) {
  part(DAEMON_CUT, 0, "an answer that makes no sense");
}

/* Waits until the daemon's socket is ready for one of `events`; returns what poll found, 0 when patience has ended. */
static int wait_for_daemon(short events) {
  while (peer.patience > 0) {
    struct pollfd daemon_socket = {peer.descriptor, events, 0};
    int64_t before = now();
    int found = poll(&daemon_socket, 1, (int)((peer.patience + 999) / 1000));
    peer.patience -= now() - before;
    if (found > 0) return daemon_socket.revents;
    if (found < 0 && errno != EINTR) break;
  }
  return 0;
}

static void part_unconnected(int error) {
  switch (error) {
  case ENOENT:
  case ENOTDIR: part(DAEMON_ABSENT, 1, "no such socket"); break;
  case ECONNREFUSED: part(DAEMON_ABSENT, 1, "nobody listens there"); break;
  case EAGAIN: part(DAEMON_SILENT, 1, "connection not taken in time"); break;
  case EACCES:
  case EPERM: part(TROUBLE, 0, "no permission to connect"); break;
  case ENOMEM:
  case ENOBUFS: part(NO_MEMORY, 0, "no memory for a connection"); break;
  default: part(TROUBLE, 0, "cannot connect");
  }
}

/* Connects, for `seconds` at most; that many are also left for everything after it. */
static void meet(int seconds) {
  struct sockaddr_un address;
  const char *path = variable("POSTERN_SOCKET", POSTERN_SOCKET);
  size_t length = strlen(path);
  peer.patience = (int64_t)seconds * 1000000;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (length >= sizeof address.sun_path) {
    part(TROUBLE, 0, "too long for the path of a socket");
    return;
  }
  memcpy(address.sun_path, path, length);
  peer.descriptor = own(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (peer.descriptor < 0) {
    part_unconnected(errno);
    return;
  }
  while (connect(peer.descriptor, (const struct sockaddr *)&address, sizeof address) != 0) {
    /* A full queue of connections says EAGAIN, and poll cannot tell when it has room again. */
    if ((errno != EAGAIN && errno != EINTR) || peer.patience <= 0) {
      part_unconnected(errno);
      return;
    }
    poll(NULL, 0, CONNECT_PAUSE);
    peer.patience -= CONNECT_PAUSE * 1000;
  }
}

/* ---- what we send ---- */

/* Small frames collect in front; what is read from the caller goes behind them, with room for its frame's head. */
static struct {
  unsigned char bytes[SMALL_FRAMES + FRAME_HEAD + FRAME_LIMIT];
  size_t used;
} out;

static void hear_early(void);

/* Sends what has collected. When there is no connection, or it breaks, the bytes are dropped. */
static void flush(void) {
  size_t sent = 0;
  while (peer.descriptor >= 0 && sent < out.used) {
    ssize_t taken = send(peer.descriptor, out.bytes + sent, out.used - sent, MSG_NOSIGNAL);
    if (taken > 0) {
      sent += (size_t)taken;
    } else if (errno == EAGAIN) {
      int ready = wait_for_daemon(peer.listening ? POLLOUT | POLLIN : POLLOUT);
      if (ready == 0) part_silent();
      else if (peer.listening && (ready & POLLIN) != 0) hear_early();
    } else if (errno != EINTR) {
      /* It may have said why before it closed. */
      if (peer.listening) hear_early();
      else part_lost();
    }
  }
  out.used = 0;
}

/* Sends what has collected if it is worth it: a small message goes out as a whole, and wakes the daemon once. */
static void flush_much(void) {
  if (out.used > SMALL_FRAMES) flush();
}

/* Makes a frame of the `size` bytes that lie where the next frame's payload belongs. */
static void frame_in_place(char type, size_t size) {
  unsigned char *head = out.bytes + out.used;
  head[0] = (unsigned char)type;
  for (int i = 1; i < FRAME_HEAD; i++) head[i] = (unsigned char)(size >> (8 * (FRAME_HEAD - 1 - i)) & 0xff);
  out.used += FRAME_HEAD + size;
}

static unsigned char *payload(void) {
  return out.bytes + out.used + FRAME_HEAD;
}

/* Adds a frame of `size` bytes, at most some 8 kB; it goes out with the next flush. */
static void frame(char type, const char *bytes, size_t size) {
  if (out.used + FRAME_HEAD + size > SMALL_FRAMES) flush();
  memcpy(payload(), bytes, size);
  frame_in_place(type, size);
}

static void frame_text(char type, const char *text) {
  frame(type, text, strlen(text));
}

static void frame_variable(const char *name) {
  char text[64 + VALUE_LIMIT];
  const char *value = getenv(name);
  size_t name_length = strlen(name), value_length;
  if (value == NULL || name_length > 63) return;
  value_length = strnlen(value, VALUE_LIMIT);
  memcpy(text, name, name_length);
  text[name_length] = '=';
  memcpy(text + name_length + 1, value, value_length);
  frame('E', text, name_length + 1 + value_length);
}

/* The first frames: version, environment, and who calls. */
static void introduce(int shadow) {
  const char *const labels[] = {"uid=", " gid=", " pid=", " ppid="};
  const uintmax_t numbers[] = {getuid(), getgid(), (uintmax_t)getpid(), (uintmax_t)getppid()};
  char caller[4 * 32];
  char *end = caller;
  frame_text('V', "1");
  if (shadow) frame_text('S', "");
  for (size_t i = 0; i < sizeof ENVIRONMENT / sizeof *ENVIRONMENT; i++) frame_variable(ENVIRONMENT[i]);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    memcpy(end, labels[i], strlen(labels[i]));
    end = decimal(end + strlen(labels[i]), numbers[i]);
  }
  frame_text('I', caller);
}

/* Reads descriptor 0 to its end, into the spool and to the daemon. */
static void take_message(void) {
  size_t size;
  while ((size = read_caller(0, payload(), FRAME_LIMIT)) > 0) {
    keep(spool.message, payload(), size);
    frame_in_place('M', size);
    flush_much();
  }
  frame_text('m', "");
}

/* Reads descriptor 1 to its end, into the spool if it has a file for it, and to the daemon. Returns how it ended. */
static enum place take_envelope(void) {
  enum place place = SENDER_LETTER;
  size_t size;
  while ((size = read_caller(1, payload(), FRAME_LIMIT)) > 0) {
    place = after_all(place, payload(), size);
    if (spool.envelope >= 0) keep(spool.envelope, payload(), size);
    frame_in_place('R', size);
    flush_much();
  }
  return place;
}

/* ---- what the daemon answers ---- */

static struct {
  unsigned char bytes[16384];
  size_t start, end;
} in;

static struct {
  enum { NONE, YES, ACCEPTED, NO } kind;
  int code;                    /* no: exit code for callers who read no text */
  char text[1 + TEXT_LIMIT];   /* no: D or Z, and why */
  size_t text_size;
  char path[PATH_LIMIT + 1];   /* yes: the next program */
  off_t start;                 /* yes: where the message with its header block begins */
} answer;

/* Makes sure that a byte of the answer is there. 0 when none comes: the daemon has been given up then. */
static int more(void) {
  while (in.start == in.end) {
    ssize_t got = recv(peer.descriptor, in.bytes, sizeof in.bytes, 0);
    if (got > 0) {
      peer.spoke = 1;
      in.start = 0;
      in.end = (size_t)got;
    } else if (got < 0 && errno == EAGAIN) {
      if (wait_for_daemon(POLLIN) == 0) {
        part_silent();
        return 0;
      }
    } else if (got == 0 || errno != EINTR) {
      part_lost();
      return 0;
    }
  }
  return 1;
}

/* Up to `limit` bytes of the answer, where they lie: `*bytes` says where. 0 as `more` does. */
static size_t take_some(const unsigned char **bytes, size_t limit) {
  size_t size;
  if (!more()) return 0;
  size = in.end - in.start < limit ? in.end - in.start : limit;
  *bytes = in.bytes + in.start;
  in.start += size;
  return size;
}

/* Exactly `size` bytes of the answer, to `to`. 0 when they do not come. */
static int take(void *to, size_t size) {
  unsigned char *next = to;
  while (size > 0) {
    const unsigned char *bytes;
    size_t got = take_some(&bytes, size);
    if (got == 0) return 0;
    memcpy(next, bytes, got);
    next += got;
    size -= got;
  }
  return 1;
}

static int take_head(char *type, size_t *size) {
  unsigned char head[FRAME_HEAD];
  if (!take(head, sizeof head)) return 0;
  *type = (char)head[0];
  *size = 0;
  for (int i = 1; i < FRAME_HEAD; i++) *size = *size << 8 | head[i];
  return 1;
}

/*
 * Hears one part of an answer whose frame has `size` bytes of payload. Each returns 1, or has given the daemon up and
 * returns 0.
 */
static int hear_header(size_t size) {
  if (size > HEADER_LIMIT) {
    part_garbage();
    return 0;
  }
  answer.start = message_start - (off_t)size;
  seek(spool.message, answer.start);
  while (size > 0) {
    const unsigned char *bytes;
    size_t got = take_some(&bytes, size);
    if (got == 0) return 0;
    keep(spool.message, bytes, got);
    size -= got;
  }
  return 1;
}

static int hear_path(size_t size) {
  if (size >= 1 && size <= PATH_LIMIT) {
    if (!take(answer.path, size)) return 0;
    answer.path[size] = '\0';
    if (memchr(answer.path, '\0', size) == NULL) return 1;
  }
  part_garbage();
  return 0;
}

static int hear_envelope(size_t size, enum place *place) {
  while (size > 0) {
    const unsigned char *bytes;
    size_t got = take_some(&bytes, size);
    if (got == 0) return 0;
    *place = after_all(*place, bytes, got);
    keep(spool.answer, bytes, got);
    size -= got;
  }
  return 1;
}

/* The text is cut to what callers read, and cannot break out of an SMTP reply. */
static int hear_refusal(size_t size) {
  unsigned char first[2];
  char rest;
  if (size < sizeof first) {
    part_garbage();
    return 0;
  }
  if (!take(first, sizeof first)) return 0;
  answer.code = first[0];
  answer.text[0] = (char)first[1];
  answer.text_size = 1;
  for (size_t left = size - sizeof first; left > 0; left--) {
    if (!take(&rest, 1)) return 0;
    if (answer.text_size < sizeof answer.text)
      answer.text[answer.text_size++] = (unsigned char)rest < 32 || rest == 127 ? '?' : rest;
  }
  /* Exit code 0 would tell the caller that the message is safe. */
  if (answer.code != 0 && (first[1] == 'D' || first[1] == 'Z')) return 1;
  part_garbage();
  return 0;
}

/* Whether the daemon has said more than its answer: then we have misunderstood one another. */
static int says_more(void) {
  char byte;
  return in.start != in.end || recv(peer.descriptor, &byte, 1, 0) > 0;
}

static void hear_end(int kind) {
  if (says_more()) {
    part_garbage();
    return;
  }
  hang_up();
  answer.kind = kind;
}

/* Hears what follows the header block of a yes: the path, the envelope, and the end. */
static void hear_yes(void) {
  enum place place = SENDER_LETTER;
  char type;
  size_t size;
  if (!take_head(&type, &size)) return;
  if (type != 'N') part_garbage();
  else if (hear_path(size)) {
    while (take_head(&type, &size)) {
      if (type == 'R' && size <= FRAME_LIMIT) {
        if (!hear_envelope(size, &place)) return;
      } else {
        if (type == 'Y' && size == 0 && place == COMPLETE) hear_end(YES);
        else part_garbage();
        return;
      }
    }
  }
}

/* Hears a whole answer. Leaves it in `answer`, or gives the daemon up. */
static void hear(int early) {
  char type;
  size_t size;
  if (!take_head(&type, &size)) return;
  if (type == 'X' && size <= FRAME_LIMIT) {
    if (hear_refusal(size)) hear_end(NO);
  } else if (type == 'A' && size == 0 && !early) {
    hear_end(ACCEPTED);
  } else if (type == 'H' && !early) {
    if (hear_header(size)) hear_yes();
  } else {
    part_garbage();
  }
}

/* Hears an answer that comes before everything was sent: only a refusal can be meant. */
static void hear_early(void) {
  hear(1);
}

/* ---- what becomes of the message ---- */

/* Whether `path` is this very program: executing it would go round in circles. */
static int is_self(const char *path) {
  struct stat there, self;
  return stat(path, &there) == 0 && stat("/proc/self/exe", &self) == 0 && there.st_dev == self.st_dev &&
         there.st_ino == self.st_ino;
}

/*
 * Becomes the program at `path`, as qmail would start it: no arguments, message and envelope on 0 and 1, everything else
 * as we found it. QMAILQUEUE goes, because a program that injects mail of its own would come back here.
 */
static _Noreturn void become(const char *path, int envelope, off_t start) {
  char copy[4096];
  char *const arguments[] = {copy, NULL};
  size_t length = strlen(path);
  if (length >= sizeof copy) die(CANNOT_EXECUTE, path, "too long");
  memcpy(copy, path, length + 1);
  seek(spool.message, start);
  seek(envelope, 0);
  forget("QMAILQUEUE");
  if (dup2(spool.message, 0) != 0 || dup2(envelope, 1) != 1) die(TROUBLE, "", "cannot set descriptors 0 and 1");
  restore_signals();
  execv(path, arguments);
  die(CANNOT_EXECUTE, path, "cannot be executed");
}

/* The next program when there is no daemon to name it. */
static const char *usual_next(void) {
  const char *next = variable("QMAILQUEUE_NEXT", "");
  if (*next != '\0') return next;
  next = variable("DKQUEUE", "");
  /* qmail-dk finds us in DKQUEUE when it is in front of us. */
  return *next != '\0' && !is_self(next) ? next : "bin/qmail-queue";
}

static _Noreturn void run(const char *path, int envelope, off_t start) {
  if (is_self(path)) die(MISUSE, path, "is named as the next program, but is this one");
  become(path, envelope, start);
}

/*
 * Writes the text to `descriptor`, if a caller can listen there: a pipe opened for writing only. Anything else (the log,
 * a socket, a file of the caller's) was there for another purpose. Returns whether it was written. Never waits: a pipe
 * that poll calls writable has room for more than the text.
 */
static int tell(int descriptor) {
  static struct stat told[3];
  static size_t count;
  struct stat channel;
  struct pollfd one = {descriptor, POLLOUT, 0};
  int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) != O_WRONLY) return 0;
  if (fstat(descriptor, &channel) != 0 || !S_ISFIFO(channel.st_mode)) return 0;
  for (size_t i = 0; i < count; i++)
    if (told[i].st_dev == channel.st_dev && told[i].st_ino == channel.st_ino) return 0;
  if (poll(&one, 1, 0) != 1 || (one.revents & (POLLOUT | POLLERR)) != POLLOUT) return 0;
  told[count++] = channel;
  return write(descriptor, answer.text, answer.text_size) == (ssize_t)answer.text_size;
}

/* Number of the descriptor that ERROR_FD names, or -1. Descriptor 2 is the log unless ERROR_FD says otherwise. */
static int error_descriptor(void) {
  return number("ERROR_FD", 2, 1 << 20, -1);
}

/* Which channel a caller reads depends on its patches, so each gets the text; see the exit code's definition, too. */
static _Noreturn void refuse(void) {
  int told = 0;
  if (answer.text_size >= TEXT_LEAST) {
    int other = error_descriptor();
    told |= tell(6);
    told |= tell(4);
    if (other >= 0) told |= tell(other);
  }
  _exit(told ? TEXT_FOLLOWS : answer.code);
}

/* Ends as there is no answer. */
static _Noreturn void do_without(void) {
  const char *socket_path = variable("POSTERN_SOCKET", POSTERN_SOCKET);
  if (peer.opens && strcmp(variable("POSTERN_FAIL", ""), "open") == 0) {
    complain(socket_path, peer.reason);
    complain("", "passed on without a look, as POSTERN_FAIL says");
    run(usual_next(), spool.envelope, message_start);
  }
  die(peer.code, socket_path, peer.reason);
}

/* The whole job of a qmail-queue. */
static _Noreturn void deliver(void) {
  enum place place;
  struct pollfd early;
  quiet = error_descriptor() == 2;
  set_signals();
  message_start = ROOM;
  spool.message = spool_file();
  spool.answer = spool_file();
  if (strcmp(variable("POSTERN_FAIL", ""), "open") == 0) spool.envelope = spool_file();
  seek(spool.message, message_start);
  meet(number("POSTERN_TIMEOUT", 1, PATIENCE_LIMIT, PATIENCE));
  peer.listening = 1;
  introduce(0);
  take_message();
  place = take_envelope();
  if (place != COMPLETE) {
    peer.patience = 0; /* the daemon may record what was not committed, but nobody waits for that */
    flush();
    if (place == WRONG) die(BAD_ENVELOPE, "", "the caller wrote no envelope of qmail's");
    _exit(READ_ERROR); /* the caller has thought better of it, and knows */
  }
  /* An answer that is there before the question was put can only be a no. */
  early = (struct pollfd){peer.descriptor, POLLIN, 0};
  if (peer.descriptor >= 0 && poll(&early, 1, 0) == 1) hear_early();
  frame_text('r', "");
  flush();
  if (peer.descriptor >= 0) hear(0);
  switch (answer.kind) {
  case YES: run(answer.path, spool.answer, answer.start);
  case ACCEPTED: _exit(0);
  case NO: refuse();
  case NONE: break;
  }
  do_without();
}

/* ---- shadow mode ---- */

/* Ends as `status` of wait says that the old filter did; a signal comes without a second core file. */
static _Noreturn void end_as(int status) {
  if (WIFSIGNALED(status)) {
    struct rlimit none = {0, 0};
    sigset_t it;
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(status), SIG_DFL);
    sigemptyset(&it);
    sigaddset(&it, WTERMSIG(status));
    sigprocmask(SIG_UNBLOCK, &it, NULL);
    raise(WTERMSIG(status));
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : TROUBLE);
}

/* Tells the daemon what the old filter said. */
static void report(int status) {
  char text[32];
  int exited = WIFEXITED(status);
  strcpy(text, exited ? "exit " : "signal ");
  decimal(text + strlen(text), (uintmax_t)(exited ? WEXITSTATUS(status) : WTERMSIG(status)));
  frame_text('O', text);
  flush();
}

/*
 * Lets `program` decide, and shows the daemon the same message. The daemon can delay this by SHADOW_PATIENCE at most, and
 * change nothing: nothing that it sends is read. A cut or wrong envelope is the old filter's to judge.
 */
static _Noreturn void shadow(const char *program) {
  int status, committed, other = error_descriptor();
  pid_t child;
  quiet = other == 2;
  set_signals();
  spool.message = spool_file();
  spool.envelope = spool_file();
  meet(SHADOW_PATIENCE);
  introduce(1);
  take_message();
  committed = take_envelope() == COMPLETE;
  if (committed) frame_text('r', "");
  flush();
  if (!committed) hang_up();
  /* A filter that injects mail, or that is a chain with us in it, is not looked at again. */
  forget("POSTERN_SHADOW");
  child = fork();
  if (child <= 0) become(program, spool.envelope, 0); /* without a child the daemon learns no outcome, and that is all */
  if (own_alarm) alarm(0);
  /* The caller waits for the end of file on its channels before it waits for us. */
  for (int descriptor = 0; descriptor < FIRST_OWN_DESCRIPTOR; descriptor++) close(descriptor);
  if (other >= 0 && other != peer.descriptor) close(other);
  while (waitpid(child, &status, 0) != child)
    if (errno != EINTR) _exit(TROUBLE);
  report(status);
  end_as(status);
}

/* ---- the rest ---- */

static _Noreturn void ping(void) {
  char type, text[TEXT_LIMIT], line[TEXT_LIMIT + 1];
  size_t size = 0, used;
  int seconds = number("POSTERN_TIMEOUT", 1, PATIENCE_LIMIT, PING_PATIENCE);
  set_signals();
  meet(seconds < PING_PATIENCE ? seconds : PING_PATIENCE);
  frame_text('V', "1");
  frame_text('P', "");
  flush();
  if (peer.descriptor >= 0 && take_head(&type, &size)) {
    if (type != 'P' || size >= sizeof text) part_garbage();
    else if (take(text, size)) {
      text[size] = '\0';
      used = append(line, 0, TEXT_LIMIT, text);
      line[used++] = '\n';
      _exit(write(1, line, used) == (ssize_t)used ? 0 : NO_PING);
    }
  }
  die(NO_PING, variable("POSTERN_SOCKET", POSTERN_SOCKET), peer.reason);
}

int main(int argc, char **argv) {
  static const char VERSION[] = "postern-queue " POSTERN_VERSION "\n";
  /* Socket, spool and next program come from the environment, which then is somebody else's. */
  if (getuid() != geteuid() || getgid() != getegid()) die(MISUSE, "", "must not be set-uid or set-gid");
  if (argc <= 1) {
    const char *old_filter = variable("POSTERN_SHADOW", "");
    if (*old_filter != '\0') shadow(old_filter);
    deliver();
  }
  if (argc == 2 && strcmp(argv[1], "--version") == 0)
    _exit(write(1, VERSION, sizeof VERSION - 1) == (ssize_t)(sizeof VERSION - 1) ? 0 : NO_PING);
  if (argc == 2 && strcmp(argv[1], "--ping") == 0) ping();
  if (argc == 3 && strcmp(argv[1], "--shadow") == 0 && argv[2][0] != '\0') shadow(argv[2]);
  /* Not 100, as is usual for a wrong use: should a wrapper make this mistake, mail has to wait until it is mended. */
  die(MISUSE, "", "usage: postern-queue [--shadow PROGRAM | --ping | --version]");
}
