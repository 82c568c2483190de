// Shortest paths by Dijkstra with a heap and by Floyd and Warshall, which must agree; a spanning
// tree; a Patricia-like trie of addresses.
#include "compute.h"

enum { kNodes = 150, kFar = 1 << 29 };
static int weight[kNodes][kNodes], all[kNodes][kNodes];

struct Entry {
  int distance, node;
};
static struct Entry heap[kNodes * kNodes];
static int heap_size;

static void Push(struct Entry entry) {
  int at = heap_size++;
  for (; at > 0 && heap[(at - 1) / 2].distance > entry.distance; at = (at - 1) / 2)
    heap[at] = heap[(at - 1) / 2];
  heap[at] = entry;
}

static struct Entry Pop(void) {
  const struct Entry top = heap[0], last = heap[--heap_size];
  int at = 0;
  for (int child; (child = 2 * at + 1) < heap_size; at = child) {
    if (child + 1 < heap_size && heap[child + 1].distance < heap[child].distance) ++child;
    if (heap[child].distance >= last.distance) break;
    heap[at] = heap[child];
  }
  heap[at] = last;
  return top;
}

static void Dijkstra(int from, int* distance) {
  for (int i = 0; i < kNodes; ++i) distance[i] = kFar;
  distance[from] = 0;
  Push((struct Entry){0, from});
  while (heap_size > 0) {
    const struct Entry entry = Pop();
    if (entry.distance > distance[entry.node]) continue;
    for (int to = 0; to < kNodes; ++to) {
      const int through = entry.distance + weight[entry.node][to];
      if (through < distance[to]) {
        distance[to] = through;
        Push((struct Entry){through, to});
      }
    }
  }
}

static int parents[kNodes];
static int Root(int node) {
  return parents[node] == node ? node : (parents[node] = Root(parents[node]));
}

struct Trie {
  struct Trie* child[2];
  int count;
};

static void Insert(struct Trie* root, uint32_t address, int bits) {
  for (int i = 0; i < bits; ++i) {
    struct Trie** next = &root->child[address >> (31 - i) & 1];
    if (*next == NULL) *next = calloc(1, sizeof **next);
    root = *next;
    ++root->count;
  }
}

int main(void) {
  for (int i = 0; i < kNodes; ++i)
    for (int j = 0; j < kNodes; ++j)
      weight[i][j] = i == j ? 0 : Random() % 12 == 0 ? (int)(Random() % 1000) + 1 : kFar;
  memcpy(all, weight, sizeof all);
  for (int k = 0; k < kNodes; ++k)
    for (int i = 0; i < kNodes; ++i)
      for (int j = 0; j < kNodes; ++j)
        if (all[i][k] + all[k][j] < all[i][j]) all[i][j] = all[i][k] + all[k][j];
  int differences = 0, distance[kNodes];
  for (int from = 0; from < kNodes; from += 7) {
    Dijkstra(from, distance);
    for (int to = 0; to < kNodes; ++to) differences += distance[to] != all[from][to];
  }
  printf("%d differences, 0 to %d: %d\n", differences, kNodes - 1, all[0][kNodes - 1]);
  Tell("paths", Hash(kHashStart, all, sizeof all));

  for (int i = 0; i < kNodes; ++i) parents[i] = i;
  long total = 0;
  for (int limit = 1; limit <= 1000; ++limit)
    for (int i = 0; i < kNodes; ++i)
      for (int j = 0; j < kNodes; ++j)
        if (weight[i][j] == limit && Root(i) != Root(j)) {
          parents[Root(i)] = Root(j);
          total += limit;
        }
  printf("tree of %ld\n", total);

  struct Trie trie = {{NULL, NULL}, 0};
  for (int i = 0; i < 3000; ++i)
    Insert(&trie, Random() & ~(Random() & 0xfff), 8 + (int)(Random() % 25));
  uint64_t hash = kHashStart;
  for (int i = 0; i < 3000; ++i) {
    const uint32_t address = Random();
    struct Trie* at = &trie;
    int depth = 0;
    for (struct Trie* next; depth < 32 && (next = at->child[address >> (31 - depth) & 1]) != NULL;
         ++depth)
      at = next;
    hash = Hash(hash, &depth, sizeof depth);
    hash = Hash(hash, &at->count, sizeof at->count);
  }
  Tell("trie", hash);
  return 0;
}
