// String instructions over much memory, of which a byte is watched.
char buffer[20000], other[20000];

__attribute__((noinline)) void Ready(void) { __asm__ volatile(""); }

int main(void) {
  for (int i = 0; i < 20000; i++) other[i] = (char)('b' + i % 7);
  Ready();
  char *to = buffer;
  const char *from = other + 9999;
  long count = 10000;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"('a') : "memory");
  to = buffer + 9999;
  count = 10000;
  __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
  to = buffer;
  count = 20000;
  __asm__ volatile("repne scasb" : "+D"(to), "+c"(count) : "a"('z') : "memory", "cc");
  int wrong = 0;
  for (int i = 0; i < 10000; i++) wrong += buffer[i] != other[i];
  return wrong + (int)count + 9;
}
