// A dynamically linked C++ program that waits to be joined: libstdc++, libm, libgcc_s and libc are
// mapped. Says so first.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <string>
#include <vector>

volatile bool done = false;
volatile double sum = 0;

int main() {
  std::map<std::string, std::vector<int>> rows;
  for (int i = 0; i < 1000; ++i) rows[std::to_string(i % 17)].push_back(i);
  for (auto& [name, row] : rows) std::ranges::sort(row, std::greater<>());
  std::cout << "ready" << std::endl;
  while (!done) sum = sum + std::sin(sum);
  std::cout << rows.size() << "\n";
}
