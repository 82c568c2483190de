#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int runs_before(const char* name) {
  int runs = 0;
  FILE* file = fopen(name, "r");
  if (file != NULL) {
    while (fgetc(file) != EOF) runs++;
    fclose(file);
  }
  file = fopen(name, "a");
  fputc('.', file);
  fclose(file);
  return runs;
}

int main(int argc, char** argv) {
  char directory[256] = "?";
  char line[64] = "nothing";
  getcwd(directory, sizeof directory);
  if (argc > 1 && strcmp(argv[1], "read") == 0) {
    FILE* file = fopen(argv[2], "r");
    if (file != NULL) fgets(line, sizeof line, file);
  }
  const char* color = getenv("COLOR");
  printf("run %d with %d in %s, color %s, home %s, last %s, read %s\n", runs_before("/tmp/runs"), argc, directory,
         color != NULL ? color : "none", getenv("HOME") != NULL ? "set" : "unset", argv[argc - 1], line);
  return argc;
}
