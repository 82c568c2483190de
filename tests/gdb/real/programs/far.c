// Memory far above everything else: what is there is in no window.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { kUnit = 64 << 20 };

struct far {
  int counter;
  int beside;
  char text[16];
};

struct far* far;
char* untouched;

static void* map(unsigned long at, size_t size) {
  return mmap((void*)at, size, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

int ready(void) { return far->counter; }

int main(void) {
  // The watched bytes lie across the border of two pages that are far from any other.
  far = (struct far*)((char*)map(0x600000000000, 4ul * kUnit) + kUnit - 4);
  untouched = map(0x700000000000, kUnit);
  far->counter = 1;
  ready();
  for (int i = 0; i < 100; i++) far->beside += i;
  far->counter = 2;
  // More of what nobody has accessed, while something is watched.
  for (int i = 0; i < 4; i++) ((char*)far)[i * (long)kUnit / 2 + 100] = 'x';
  memset(far, 7, sizeof *far);
  printf("beside %#x text %d untouched %d\n", far->beside, far->text[15], untouched[5]);
  return 9;
}
