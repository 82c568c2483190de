// Vectors of more bytes and of more entries than there can be.
#include "guest.h"

struct Piece {
  void* base;
  unsigned long size;
};
static struct Piece pieces[2048];
static char* words[300000];
static char word[4096];
static char byte;

void Main(void) {
  const long fd = Call(kOpen, (long)"/dev/zero", 2, 0, 0);
  for (int i = 0; i < 2048; ++i) pieces[i] = (struct Piece){&byte, -1UL};
  SayErrno(Call(kWritev, fd, (long)pieces, 1024, 0), 22, "bytes: EINVAL\n");
  for (int i = 0; i < 2048; ++i) pieces[i].size = 1;
  SayErrno(Call(kWritev, fd, (long)pieces, 2048, 0), 22, "entries: EINVAL\n");
  SayErrno(Call(kReadv, fd, (long)pieces, -1, 0), 22, "minus one: EINVAL\n");
  SayErrno(Call(7, (long)pieces, 0xffffffffL, 0, 0), 22, "poll: EINVAL\n");
  for (int i = 0; i < 4095; ++i) word[i] = 'w';
  for (int i = 0; i < 299999; ++i) words[i] = word;
  SayErrno(Call(kExecve, (long)"/bin/huge_vectors", (long)words, 0, 0), 7, "words: E2BIG\n");
  Exit(0);
}
