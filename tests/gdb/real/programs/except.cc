#include <cstdio>
#include <stdexcept>
#include <vector>

template <typename T>
T Largest(const std::vector<T>& values) {
  if (values.empty()) throw std::invalid_argument("nothing there");
  T best = values.front();
  for (const T& value : values) best = value > best ? value : best;
  return best;
}

int main() {
  std::printf("largest %d\n", Largest(std::vector<int>{3, 9, 4}));
  try {
    Largest(std::vector<double>{});
  } catch (const std::exception& error) {
    std::printf("caught %s\n", error.what());
  }
  return 0;
}
