/* System calls: small reads, writes, seeks and stats of one file. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
  const int fd = open("/tmp/glovebox-bench-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
  unlink("/tmp/glovebox-bench-file");
  long total = 0;
  char bytes[64] = "payload";
  for (int i = 0; i < 100000; ++i) {
    struct stat status;
    pwrite(fd, bytes, sizeof bytes, (i & 63) * 64);
    total += pread(fd, bytes, sizeof bytes, (i & 31) * 64);
    fstat(fd, &status);
    total += status.st_size;
  }
  printf("%ld\n", total);
  return 0;
}
