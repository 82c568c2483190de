/* String functions of the C library over words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  static char text[1 << 16];
  size_t used = 0, total = 0;
  for (unsigned i = 0; used + 16 < sizeof text; ++i) used += (size_t)sprintf(text + used, "word%u ", i * 2654435761u % 9973);
  for (int round = 0; round < 3; ++round) {
    char *copy = strdup(text);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
      total += strlen(word);
      if (strstr(text, word) == NULL || strcmp(word, "word77") == 0) ++total;
    }
    free(copy);
  }
  printf("%zu\n", total);
  return 0;
}
