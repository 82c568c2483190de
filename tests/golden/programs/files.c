/* Files in the overlay, directories in order, mappings of a file, standard streams. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
  mkdir("/tmp/work", 0750);
  chdir("/tmp/work");
  for (int i = 9; i >= 0; --i) {
    char name[16];
    snprintf(name, sizeof name, "file%d", i);
    FILE *file = fopen(name, "w");
    for (int line = 0; line <= i * 50; ++line) fprintf(file, "%d line %d\n", i, line);
    fclose(file);
  }
  rename("file3", "renamed");
  unlink("file5");
  symlink("renamed", "link");
  link("file7", "hard");
  DIR *directory = opendir(".");
  for (struct dirent *entry; (entry = readdir(directory));) {
    struct stat status;
    lstat(entry->d_name, &status);
    printf("%s %o %ld %ld %ld\n", entry->d_name, status.st_mode, (long)status.st_nlink, (long)status.st_size,
           (long)status.st_mtime);
  }
  closedir(directory);
  const int fd = open("link", O_RDWR);
  char *bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  memcpy(bytes, "PRIVATE", 7);
  char line[16] = {0};
  pread(fd, line, 15, 0);
  printf("%.7s | %.8s\n", bytes, line);
  const int absent = open("/no/such", O_RDONLY);
  printf("%d %s\n", absent, strerror(errno));
  fprintf(stderr, "to stderr\n");
  char input[64];
  ssize_t got, total = 0;
  while ((got = read(0, input, sizeof input)) > 0) total += got;
  printf("stdin %zd bytes, argc %d %s\n", total, argc, argv[argc - 1]);
  return 3;
}
