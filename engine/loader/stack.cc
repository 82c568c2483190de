#include "engine/loader/stack.h"

#include <cstring>

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kMaxStringBytes = 128_KiB;  // MAX_ARG_STRLEN
constexpr std::uint64_t kMaxArgumentBytes = kStackBytes / 4;
constexpr std::uint64_t kPointerBytes = 8;  // the kernel's own, whatever the program's are

LoadResult<std::uint64_t> Weigh(const std::vector<std::string>& strings, std::string_view what) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    if (strings[i].size() + 1 > kMaxStringBytes) {
      return FailLoad(kE2BIG, std::string(what) + "[" + std::to_string(i) + "] has " +
                                  std::to_string(strings[i].size()) +
                                  " bytes; at most 131071 are allowed");
    }
    total += strings[i].size() + 1 + kPointerBytes;
  }
  return total;
}

// Fills a buffer from its end downwards, as the stack grows.
class Builder {
 public:
  Builder(GuestAddr top, std::size_t size, std::uint8_t word_bytes)
      : top_(top), bytes_(size), word_bytes_(word_bytes) {}

  GuestAddr at() const { return top_ - used_; }
  std::span<const std::byte> bytes() const { return std::span(bytes_).last(used_); }

  GuestAddr Push(const void* data, std::size_t size) {
    used_ += size;
    std::memcpy(bytes_.data() + bytes_.size() - used_, data, size);
    return at();
  }
  GuestAddr PushString(const std::string& text) { return Push(text.c_str(), text.size() + 1); }
  void PushWord(std::uint64_t word) { Push(&word, word_bytes_); }  // its low bytes
  void Skip(std::size_t size) { used_ += size; }
  void AlignDown(std::uint64_t alignment) { used_ += static_cast<std::size_t>(at() % alignment); }

  // Pushes in reverse, so that the first string ends up lowest. Returns the addresses in the order
  // of `strings`.
  std::vector<GuestAddr> PushStrings(const std::vector<std::string>& strings) {
    std::vector<GuestAddr> addresses(strings.size());
    for (std::size_t i = strings.size(); i-- > 0;) addresses[i] = PushString(strings[i]);
    return addresses;
  }
  void PushPointers(const std::vector<GuestAddr>& addresses) {
    PushWord(0);
    for (std::size_t i = addresses.size(); i-- > 0;) PushWord(addresses[i]);
  }

 private:
  GuestAddr top_;
  std::vector<std::byte> bytes_;
  std::uint8_t word_bytes_;
  std::size_t used_ = 0;
};

}  // namespace

LoadResult<void> CheckArgumentSize(const std::vector<std::string>& argv,
                                   const std::vector<std::string>& env,
                                   const std::string& exec_filename) {
  const auto argv_bytes = Weigh(argv, "argv");
  if (!argv_bytes) return std::unexpected(argv_bytes.error());
  const auto env_bytes = Weigh(env, "env");
  if (!env_bytes) return std::unexpected(env_bytes.error());
  const std::uint64_t total = *argv_bytes + *env_bytes + exec_filename.size() + 1;
  if (total > kMaxArgumentBytes) {
    return FailLoad(kE2BIG, "arguments and environment take " + std::to_string(total) +
                                " bytes; at most " + std::to_string(kMaxArgumentBytes) +
                                " are allowed");
  }
  return {};
}

LoadResult<BuiltStack> BuildStack(AddressSpace& memory, const AddressLayout& layout,
                                  bool executable, const StackContents& contents) {
  MapRequest request;
  request.address = layout.stack_top - kStackBytes;
  request.size_bytes = kStackBytes;
  request.protection =
      static_cast<std::uint8_t>(kProtRead | kProtWrite | (executable ? kProtExec : 0));
  request.fixed = true;
  request.no_replace = true;
  request.traits = kGrowsDown;
  request.name = "[stack]";
  if (!memory.Map(request)) return FailLoad(kENOMEM, "its segments lie where the stack has to be");

  Builder stack(layout.stack_top, static_cast<std::size_t>(kMaxArgumentBytes + 128_KiB),
                contents.word_bytes);
  BuiltStack built;
  stack.Skip(kPointerBytes);  // fs/exec.c, bprm_mm_init
  const GuestAddr filename = stack.PushString(contents.exec_filename);
  built.env_end = stack.at();
  const auto env = stack.PushStrings(contents.env);
  built.env_start = built.argv_end = stack.at();
  const auto argv = stack.PushStrings(contents.argv);
  built.argv_start = stack.at();
  stack.AlignDown(16);
  stack.Skip(static_cast<std::size_t>(layout.stack_skew));
  const GuestAddr platform = stack.PushString(contents.platform);
  const GuestAddr random = stack.Push(contents.random.data(), contents.random.size());
  stack.AlignDown(16);

  // What is pushed now ends at a multiple of 16.
  const std::size_t words = 1 + argv.size() + 1 + env.size() + 1 + 2 * (contents.auxv.size() + 1);
  stack.Skip((16 - words * contents.word_bytes % 16) % 16);
  const GuestAddr auxv_end = stack.at();
  stack.PushWord(0);
  stack.PushWord(kAuxNull);
  for (std::size_t i = contents.auxv.size(); i-- > 0;) {
    const auto [type, value] = contents.auxv[i];
    stack.PushWord(type == kAuxRandom         ? random
                   : type == kAuxPlatform     ? platform
                   : type == kAuxExecFilename ? filename
                                              : value);
    stack.PushWord(type);
  }
  const auto auxv = stack.bytes().first(static_cast<std::size_t>(auxv_end - stack.at()));
  built.auxv.assign(auxv.begin(), auxv.end());
  stack.PushPointers(env);
  stack.PushPointers(argv);
  stack.PushWord(argv.size());
  built.stack_pointer = stack.at();
  if (memory.Poke(built.stack_pointer, stack.bytes()) != stack.bytes().size()) {
    return std::unexpected(
        LoadError{kENOMEM, "the first stack needs more memory than the limit", true});
  }
  return built;
}

}  // namespace glovebox::engine
