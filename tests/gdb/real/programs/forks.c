#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int in_child(int value) { return value + 1; }
int in_parent(int value) { return value + 2; }

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("executed %s\n", argv[1]);
    return 5;
  }
  pid_t child = fork();
  if (child == 0) _exit(in_child(2));
  int status;
  waitpid(child, &status, 0);
  printf("child %d parent %d\n", WEXITSTATUS(status), in_parent(2));
  fflush(stdout);
  child = vfork();
  if (child == 0) {
    execl("/proc/self/exe", "again", "once", NULL);
    _exit(1);
  }
  waitpid(child, &status, 0);
  printf("again %d\n", WEXITSTATUS(status));
  return 0;
}
