// Strings searched by Boyer, Moore and Horspool, by Knuth, Morris and Pratt and by the library,
// which must agree; edit distances; words counted in a hash table; a text packed and unpacked.
#include <ctype.h>

#include "compute.h"

enum { kText = 60000 };
static char text[kText + 1];

static int Horspool(const char* pattern) {
  const int length = (int)strlen(pattern);
  int skip[256], found = 0;
  for (int i = 0; i < 256; ++i) skip[i] = length;
  for (int i = 0; i < length - 1; ++i) skip[(unsigned char)pattern[i]] = length - 1 - i;
  for (int at = 0; at + length <= kText; at += skip[(unsigned char)text[at + length - 1]])
    found += memcmp(text + at, pattern, (size_t)length) == 0;
  return found;
}

static int Prefixes(const char* pattern) {
  int fail[64] = {0}, found = 0;
  const int length = (int)strlen(pattern);
  for (int i = 1, k = 0; i < length; ++i) {
    while (k > 0 && pattern[k] != pattern[i]) k = fail[k - 1];
    k += pattern[k] == pattern[i];
    fail[i] = k;
  }
  for (int i = 0, k = 0; i < kText; ++i) {
    while (k > 0 && pattern[k] != text[i]) k = fail[k - 1];
    k += pattern[k] == text[i];
    if (k == length) {
      ++found;
      k = fail[k - 1];
    }
  }
  return found;
}

static int Library(const char* pattern) {
  int found = 0;
  for (const char* at = text; (at = strstr(at, pattern)) != NULL; ++at) ++found;
  return found;
}

static int Distance(const char* a, int n, const char* b, int m) {
  int row[65];
  for (int j = 0; j <= m; ++j) row[j] = j;
  for (int i = 1; i <= n; ++i) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= m; ++j) {
      const int change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
      if (change < row[j]) row[j] = change;
    }
  }
  return row[m];
}

// Repetitions as (distance, length), everything else as it is: LZ77.
static int Pack(const unsigned char* from, int size, unsigned char* to) {
  int out = 0;
  for (int at = 0; at < size;) {
    int best = 0, where = 0;
    for (int back = 1; back <= 255 && back <= at; ++back) {
      int length = 0;
      while (length < 127 && at + length < size && from[at + length] == from[at + length - back])
        ++length;
      if (length > best) best = length, where = back;
    }
    if (best >= 3) {
      to[out++] = (unsigned char)(128 | best);
      to[out++] = (unsigned char)where;
      at += best;
    } else {
      to[out++] = from[at++] & 127;
    }
  }
  return out;
}

static int Unpack(const unsigned char* from, int size, unsigned char* to) {
  int out = 0;
  for (int at = 0; at < size;) {
    if (from[at] < 128) {
      to[out++] = from[at++];
      continue;
    }
    for (int i = from[at] & 127; i > 0; --i, ++out) to[out] = to[out - from[at + 1]];
    at += 2;
  }
  return out;
}

struct Word {
  char name[16];
  int count;
};
static struct Word words[4096];

static struct Word* Slot(const char* name) {
  uint32_t at = (uint32_t)Hash(kHashStart, name, strlen(name)) % 4096;
  while (words[at].count != 0 && strcmp(words[at].name, name) != 0) at = (at + 1) % 4096;
  return &words[at];
}

static int MoreFrequent(const void* a, const void* b) {
  const struct Word *p = a, *q = b;
  return p->count != q->count ? q->count - p->count : strcmp(p->name, q->name);
}

int main(void) {
  for (int i = 0; i < kText; ++i) text[i] = Random() % 6 == 0 ? ' ' : (char)('a' + Random() % 4);
  static const char* const kPatterns[] = {"a",      "ab",   "abca",     "dd d",
                                          "cabbac", "aaaa", "bcdabcda", "zzz"};
  for (size_t i = 0; i < sizeof kPatterns / sizeof *kPatterns; ++i)
    printf("%s: %d %d %d\n", kPatterns[i], Horspool(kPatterns[i]), Prefixes(kPatterns[i]),
           Library(kPatterns[i]));
  long sum = 0;
  for (int i = 0; i < 60; ++i) sum += Distance(text + i * 64, 64, text + 30000 + i * 64, 64);
  printf("distances %ld\n", sum);

  enum { kPacked = 8000 };
  static unsigned char packed[2 * kPacked], back[kPacked];
  const int size = Pack((const unsigned char*)text, kPacked, packed);
  const int again = Unpack(packed, size, back);
  printf("packed to %d, back to %d, %s\n", size, again,
         memcmp(back, text, kPacked) == 0 ? "equal" : "different");
  Tell("packed", Hash(kHashStart, packed, (size_t)size));

  static char copy[kText + 1];
  memcpy(copy, text, sizeof copy);
  for (char* word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
    if (strlen(word) >= sizeof words[0].name) continue;
    struct Word* slot = Slot(word);
    if (slot->count++ == 0) {
      strcpy(slot->name, word);
      for (char* c = slot->name; *c != 0; ++c) *c = (char)tolower(toupper((unsigned char)*c));
    }
  }
  qsort(words, 4096, sizeof words[0], MoreFrequent);
  for (int i = 0; i < 10; ++i) printf("%s %d\n", words[i].name, words[i].count);
  return 0;
}
