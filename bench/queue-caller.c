/*
 * Brings one message over and over to a queue program, as qmail-smtpd does, and measures it.
 *
 *   queue-caller COUNT PARALLEL MESSAGE ENVELOPE PROGRAM [ARGUMENT]...
 *
 * PARALLEL processes bring COUNT messages between them. Prints a line for each message, `microseconds exit-code`, and then
 * `seconds S` for all of it, and `cpu S` that the programs have spent.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct result {
  long microseconds, cpu;
  int code;
};

struct text {
  char *bytes;
  size_t size;
};

static struct text read_file(const char *path) {
  struct text text = {malloc(1 << 24), 0};
  FILE *from = fopen(path, "r");
  if (from == NULL || text.bytes == NULL) exit(99);
  text.size = fread(text.bytes, 1, 1 << 24, from);
  fclose(from);
  return text;
}

static long microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void put(int to, struct text text) {
  while (text.size > 0) {
    ssize_t put = write(to, text.bytes, text.size);
    if (put <= 0) break; /* the exit code says why */
    text.bytes += put;
    text.size -= (size_t)put;
  }
  close(to);
}

static void bring(struct text message, struct text envelope, char **program, struct result *result) {
  int m[2], e[2], status;
  struct rusage usage;
  long start = microseconds();
  pid_t pid;
  if (pipe2(m, O_CLOEXEC) != 0 || pipe2(e, O_CLOEXEC) != 0) exit(99);
  pid = vfork();
  if (pid < 0) exit(99);
  if (pid == 0) {
    dup2(m[0], 0);
    dup2(e[0], 1);
    execv(program[0], program);
    _exit(120);
  }
  close(m[0]);
  close(e[0]);
  put(m[1], message);
  put(e[1], envelope);
  if (wait4(pid, &status, 0, &usage) != pid) exit(99);
  result->microseconds = microseconds() - start;
  result->cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  result->code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv) {
  int count, parallel;
  long start, end, cpu = 0;
  struct text message, envelope;
  struct result *results;
  if (argc < 6) return 100;
  count = atoi(argv[1]);
  parallel = atoi(argv[2]);
  message = read_file(argv[3]);
  envelope = read_file(argv[4]);
  results = mmap(NULL, (size_t)count * sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (results == MAP_FAILED) return 99;
  signal(SIGPIPE, SIG_IGN);
  start = microseconds();
  for (int worker = 0; worker < parallel; worker++)
    if (fork() == 0) {
      for (int i = worker; i < count; i += parallel) bring(message, envelope, argv + 5, &results[i]);
      _exit(0);
    }
  while (wait(NULL) > 0) {}
  end = microseconds();
  for (int i = 0; i < count; i++) {
    printf("%ld %d\n", results[i].microseconds, results[i].code);
    cpu += results[i].cpu;
  }
  printf("seconds %f\ncpu %f\n", (double)(end - start) / 1e6, (double)cpu / 1e6);
  return 0;
}
