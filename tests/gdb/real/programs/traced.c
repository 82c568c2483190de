#include <stdio.h>

struct point {
  int x, y;
};

int total;
char text[16] = "tracing";
struct point points[4] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}};

int collect_here(int index, struct point* of) {
  int product = of->x * of->y;
  total += product; /* the tracepoint */
  return total;
}

int main(void) {
  for (int i = 0; i < 4; i++) collect_here(i, &points[i]);
  printf("total %d %s\n", total, text);
  return 0;
}
