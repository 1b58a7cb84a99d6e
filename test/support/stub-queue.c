/*
 * Stands in for qmail-queue: the message and then the envelope are written to files, synced and made known under one
 * name, as qmail-queue does; then it exits 0. Below the folder $STUB_QUEUE, which has pid, mess, intd and todo:
 *
 *   mess/N    the message, byte for byte      todo/N    the envelope, from F to the final NUL
 *   facts/N   where such a folder is: `pid P`, `fd M` for each open descriptor, and the environment, one variable a line
 *
 * N is the inode of the message file, which makes it unique. There is no todo/N without a whole mess/N. The folder todo is
 * synced too, which is what qmail gets from synchronous directories. Exit codes: those of qmail-queue.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static char bytes[65536];

/* Copies `from` to its end; the last byte that came is left in `*last`. */
static void copy(int from, int to, char *last) {
  ssize_t got;
  while ((got = read(from, bytes, sizeof bytes)) > 0) {
    *last = bytes[got - 1];
    if (write(to, bytes, (size_t)got) != got) _exit(53);
  }
  if (got < 0) _exit(54);
  if (fsync(to) != 0) _exit(53);
}

static void write_facts(const char *path) {
  FILE *to;
  int descriptors[64], count = 0;
  DIR *all = opendir("/proc/self/fd");
  struct dirent *entry;
  if (all == NULL) return;
  while ((entry = readdir(all)) != NULL && count < 64)
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(all)) descriptors[count++] = atoi(entry->d_name);
  closedir(all);
  to = fopen(path, "w");
  if (to == NULL) return; /* nobody wants them */
  fprintf(to, "pid %ld\n", (long)getpid());
  for (int i = 0; i < count; i++) fprintf(to, "fd %d\n", descriptors[i]);
  for (char **each = environ; *each != NULL; each++) fprintf(to, "%s\n", *each);
  fclose(to);
}

int main(void) {
  char scratch[64], scratch_facts[64], mess[64], intd[64], todo[64], facts[64], last = 'x';
  const char *folder = getenv("STUB_QUEUE");
  struct stat status;
  int message, envelope, known;
  unsigned long number;
  if (folder == NULL || chdir(folder) != 0) return 61;
  sprintf(scratch, "pid/%ld", (long)getpid());
  sprintf(scratch_facts, "facts/pid-%ld", (long)getpid());
  /* Before any file is open, so that only the caller's descriptors are there. */
  write_facts(scratch_facts);
  message = open(scratch, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (message < 0 || fstat(message, &status) != 0) return 63;
  number = (unsigned long)status.st_ino;
  sprintf(mess, "mess/%lu", number);
  sprintf(intd, "intd/%lu", number);
  sprintf(todo, "todo/%lu", number);
  sprintf(facts, "facts/%lu", number);
  if (link(scratch, mess) != 0 || unlink(scratch) != 0) return 64;
  copy(0, message, &last);
  envelope = open(intd, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (envelope < 0) return 65;
  copy(1, envelope, &last);
  if (last != '\0') return 54;
  rename(scratch_facts, facts);
  if (link(intd, todo) != 0 || unlink(intd) != 0) return 66;
  known = open("todo", O_RDONLY | O_DIRECTORY);
  if (known < 0 || fsync(known) != 0) return 66;
  return 0;
}
