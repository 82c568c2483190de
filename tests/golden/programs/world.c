/* What the guest's world says: time, randomness, identity, limits. All of it follows from the spec and the epoch. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  printf("realtime %lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
  nanosleep(&(struct timespec){3600, 5}, NULL);
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("monotonic %lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
  unsigned char random[16];
  getrandom(random, sizeof random, 0);
  for (int i = 0; i < 16; ++i) printf("%02x", random[i]);
  const unsigned char *at = (const unsigned char *)getauxval(AT_RANDOM);
  for (int i = 0; i < 16; ++i) printf("%02x", at[i]);
  struct utsname name;
  uname(&name);
  printf("\n%s %s %s %s\n", name.sysname, name.nodename, name.release, name.machine);
  printf("pid %d ppid %d uid %d gid %d\n", getpid(), getppid(), getuid(), getgid());
  printf("stack %p heap %p code %p\n", (void *)&now, malloc(1 << 20), (void *)main);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  printf("files %llu cpus %ld page %ld\n", (unsigned long long)limit.rlim_cur, sysconf(_SC_NPROCESSORS_ONLN),
         sysconf(_SC_PAGESIZE));
  for (char **variable = environ; *variable; ++variable) printf("%s\n", *variable);
  unsigned low, high, b, c, d;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  printf("tsc %u\n", low);
  __asm__ volatile("cpuid" : "=a"(low), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
  printf("cpuid %08x %08x %08x %08x\n", low, b, c, d);
  return 0;
}
