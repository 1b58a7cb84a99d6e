/*
 * A caller that treats its queue program as qmail-smtpd does: two pipes on descriptors 0 and 1, the message first, then the
 * envelope, then the end of file on the error channels, then the exit status.
 *
 *   caller [-p PIECE] [-h] [-k KIND:FD]... MESSAGE ENVELOPE PROGRAM [ARGUMENT]...
 *
 * -p writes PIECE bytes at a time. -h holds both ends open until the program is gone. -k gives the program a descriptor:
 * w pipe open for writing, d the same without a reader, f the same and full, b pipe open for both, r pipe open for reading,
 * s socket, o file, = the pipe of the -k before once more, c closed. Prints what came: `exit N` or `signal N`,
 * `rss KILOBYTES`, and `text FD HEX` for each pipe that was open for writing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANNELS = 8 };
static struct { char kind; int fd, inner, outer; } channel[CHANNELS];
static int channels;
static size_t piece = 65536;

static int high(int fd) {
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, 100);
  close(fd);
  return moved;
}

static void make_channel(char kind, int fd) {
  int ends[2] = {-1, -1};
  char path[64];
  if (kind == '=') {
    channel[channels].inner = channel[channels - 1].inner;
    channel[channels].outer = -1;
  } else if (kind != 'c') {
    if (kind == 's') socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    else if (pipe(ends) != 0) exit(99);
    ends[0] = high(ends[0]);
    ends[1] = high(ends[1]);
    channel[channels].outer = ends[0];
    channel[channels].inner = ends[1];
    if (kind == 'r') {
      channel[channels].outer = ends[1];
      channel[channels].inner = ends[0];
    }
    if (kind == 'b') {
      snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
      channel[channels].inner = high(open(path, O_RDWR));
      close(ends[1]);
    }
    if (kind == 'o') channel[channels].inner = high(open("/dev/null", O_WRONLY));
    if (kind == 'f') {
      static char zeros[4096];
      fcntl(ends[1], F_SETFL, O_NONBLOCK);
      while (write(ends[1], zeros, sizeof zeros) > 0) {}
      fcntl(ends[1], F_SETFL, 0);
    }
    if (kind == 'd') close(ends[0]);
  }
  channel[channels].kind = kind;
  channel[channels++].fd = fd;
}

static void feed(int to, const char *path) {
  static char bytes[65536];
  int from = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got;
  if (from < 0) exit(99);
  while ((got = read(from, bytes, piece)) > 0)
    for (ssize_t done = 0; done < got;) {
      ssize_t n = write(to, bytes + done, (size_t)(got - done));
      if (n <= 0) goto over; /* as qmail-smtpd: the exit code says why */
      done += n;
    }
over:
  close(from);
}

static void child(int message, int envelope, char **program) {
  signal(SIGPIPE, SIG_DFL);
  if (dup2(message, 0) != 0 || dup2(envelope, 1) != 1) _exit(99);
  for (int i = 0; i < channels; i++) {
    if (channel[i].kind == 'c') close(channel[i].fd);
    else dup2(channel[i].inner, channel[i].fd);
  }
  execv(program[0], program);
  _exit(98);
}

int main(int argc, char **argv) {
  int message[2], envelope[2], status, option, hold = 0;
  struct rusage usage;
  pid_t pid;
  /* Whatever we have inherited is not for the program. */
  for (int fd = 3; fd < 1024; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  while ((option = getopt(argc, argv, "+p:hk:")) > 0) {
    if (option == 'p') piece = (size_t)atoi(optarg);
    else if (option == 'h') hold = 1;
    else if (option == 'k' && channels < CHANNELS) make_channel(optarg[0], atoi(optarg + 2));
    else return 99;
  }
  if (argc - optind < 3 || pipe(message) != 0 || pipe(envelope) != 0) return 99;
  for (int i = 0; i < 2; i++) {
    message[i] = high(message[i]);
    envelope[i] = high(envelope[i]);
  }
  signal(SIGPIPE, SIG_IGN);
  pid = fork();
  if (pid == 0) child(message[0], envelope[0], argv + optind + 2);
  close(message[0]);
  close(envelope[0]);
  for (int i = 0; i < channels; i++)
    if (channel[i].kind != 'c' && channel[i].kind != '=') close(channel[i].inner);
  feed(message[1], argv[optind]);
  if (!hold) close(message[1]);
  feed(envelope[1], argv[optind + 1]);
  if (!hold) close(envelope[1]);
  for (int i = 0; i < channels; i++) {
    unsigned char byte;
    if (channel[i].kind != 'w' && channel[i].kind != 'b') continue;
    printf("text %d ", channel[i].fd);
    while (read(channel[i].outer, &byte, 1) == 1) printf("%02x", byte);
    printf("\n");
  }
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {}
  printf(WIFEXITED(status) ? "exit %d\n" : "signal %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  printf("rss %ld\n", usage.ru_maxrss);
  return 0;
}
