// A stand-in for libFuzzer where there is none (GCC): runs the seeds, then seeded mutations of
// them. No coverage feedback; the same arguments make the same runs. Takes libFuzzer's -runs=,
// -seed=, -max_len= and -seed_inputs=a,b,c; other arguments are files to run once each (a crash
// replays so).
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

Input ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  return Input(std::istreambuf_iterator<char>(file), {});
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::size_t max_length) : random_(seed), max_length_(max_length) {}

  Input Next(const std::vector<Input>& seeds) {
    Input input;
    if (!seeds.empty() && Below(8) != 0) input = seeds[Below(seeds.size())];
    for (std::size_t i = 1 + Below(8); i > 0; --i) Mutate(input);
    if (input.size() > max_length_) input.resize(max_length_);
    return input;
  }

 private:
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

  void Mutate(Input& input) {
    const auto byte = static_cast<std::uint8_t>(random_());
    const std::size_t at = Below(input.size() + 1);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (Below(5)) {
      case 0:  // random bytes at the end
        for (std::size_t i = Below(32); i > 0; --i) {
          input.push_back(static_cast<std::uint8_t>(random_()));
        }
        break;
      case 1:
        input.insert(place, byte);
        break;
      case 2:
        if (at < input.size()) input.erase(place);
        break;
      case 3:
        if (at < input.size()) input[at] = byte;
        break;
      default:
        if (at < input.size()) input[at] ^= static_cast<std::uint8_t>(1u << Below(8));
        break;
    }
  }

  std::mt19937_64 random_;
  std::size_t max_length_;
};

bool Take(std::string_view argument, std::string_view name, std::string& value) {
  if (!argument.starts_with(name)) return false;
  value = argument.substr(name.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::string runs = "10000";
  std::string seed = "1";
  std::string max_length = "4096";
  std::string seed_inputs;
  std::vector<Input> seeds;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (Take(argument, "-runs=", runs) || Take(argument, "-seed=", seed) ||
        Take(argument, "-max_len=", max_length) || Take(argument, "-seed_inputs=", seed_inputs)) {
      continue;
    }
    const Input input = ReadFile(argv[i]);
    LLVMFuzzerTestOneInput(input.data(), input.size());
    if (i + 1 == argc) return 0;
  }
  for (std::size_t at = 0; at < seed_inputs.size();) {
    const std::size_t comma = std::min(seed_inputs.find(',', at), seed_inputs.size());
    seeds.push_back(ReadFile(seed_inputs.substr(at, comma - at)));
    at = comma + 1;
  }
  for (const Input& input : seeds) LLVMFuzzerTestOneInput(input.data(), input.size());
  Mutator mutator(std::stoull(seed), std::stoull(max_length));
  for (std::uint64_t i = 0; i < std::stoull(runs); ++i) {
    const Input input = mutator.Next(seeds);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%s runs, no crash\n", runs.c_str());
}
