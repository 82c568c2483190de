#include "gdbstub/architecture.h"

#include <algorithm>

namespace glovebox::gdbstub {
namespace {

// Names of runs of registers, so that their rows can be built: string_views need storage.
#define GLOVEBOX_EIGHT(prefix, suffix)                                                           \
  prefix "0" suffix, prefix "1" suffix, prefix "2" suffix, prefix "3" suffix, prefix "4" suffix, \
      prefix "5" suffix, prefix "6" suffix, prefix "7" suffix
#define GLOVEBOX_SIXTEEN(prefix, suffix)                                                    \
  GLOVEBOX_EIGHT(prefix, suffix), prefix "8" suffix, prefix "9" suffix, prefix "10" suffix, \
      prefix "11" suffix, prefix "12" suffix, prefix "13" suffix, prefix "14" suffix,       \
      prefix "15" suffix
constexpr std::string_view kSt[] = {GLOVEBOX_EIGHT("st", "")};
constexpr std::string_view kXmm[] = {GLOVEBOX_SIXTEEN("xmm", "")};
constexpr std::string_view kYmmh[] = {GLOVEBOX_SIXTEEN("ymm", "h")};
#undef GLOVEBOX_SIXTEEN
#undef GLOVEBOX_EIGHT

constexpr std::string_view kAmd64General[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi",
                                              "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                              "r12", "r13", "r14", "r15"};
constexpr std::string_view kI386General[] = {"eax", "ecx", "edx", "ebx",
                                             "esp", "ebp", "esi", "edi"};
constexpr std::string_view kSegments[] = {"cs", "ss", "ds", "es", "fs", "gs"};
constexpr std::string_view kX87Control[] = {"fctrl", "fstat", "ftag",  "fiseg",
                                            "fioff", "foseg", "fooff", "fop"};

template <std::size_t kCount>
struct Builder {
  std::array<RegisterRow, kCount> rows{};
  std::size_t count = 0;
  std::size_t size_bytes = 0;

  constexpr void Add(std::string_view name, std::uint16_t bits, std::string_view type,
                     std::string_view feature) {
    rows.at(count++) = {name, bits, type, feature, static_cast<std::uint16_t>(size_bytes)};
    size_bytes += bits / 8;
  }
  constexpr void AddAll(std::span<const std::string_view> names, std::uint16_t bits,
                        std::string_view type, std::string_view feature) {
    for (const std::string_view name : names) Add(name, bits, type, feature);
  }
  constexpr void AddX87AndSse(std::size_t vectors) {
    AddAll(kSegments, 32, "int32", "core");
    AddAll(kSt, 80, "i387_ext", "core");
    AddAll(kX87Control, 32, "int", "core");
    AddAll(std::span(kXmm).first(vectors), 128, "vec128", "sse");
    Add("mxcsr", 32, "i386_mxcsr", "sse");
  }
};

constexpr auto kAmd64 = [] {
  Builder<kAmd64RegisterCount> b;
  for (const std::string_view name : kAmd64General) {
    b.Add(name, 64, name == "rbp" || name == "rsp" ? "data_ptr" : "int64", "core");
  }
  b.Add("rip", 64, "code_ptr", "core");
  b.Add("eflags", 32, "i386_eflags", "core");
  b.AddX87AndSse(16);
  b.Add("orig_rax", 64, "int", "linux");
  b.Add("fs_base", 64, "int", "segments");
  b.Add("gs_base", 64, "int", "segments");
  b.AddAll(kYmmh, 128, "uint128", "avx");
  return b;
}();

constexpr auto kI386 = [] {
  Builder<kI386RegisterCount> b;
  for (const std::string_view name : kI386General) {
    b.Add(name, 32, name == "ebp" || name == "esp" ? "data_ptr" : "int32", "core");
  }
  b.Add("eip", 32, "code_ptr", "core");
  b.Add("eflags", 32, "i386_eflags", "core");
  b.AddX87AndSse(8);
  b.Add("orig_eax", 32, "int", "linux");
  b.AddAll(std::span(kYmmh).first(8), 128, "uint128", "avx");
  return b;
}();

constexpr RegisterLayout kLayouts[] = {
    {kAmd64.rows, kAmd64.size_bytes, kAmd64Rip, kAmd64Rsp, kAmd64Rbp, kAmd64Eflags, 8,
     "i386:x86-64"},
    {kI386.rows, kI386.size_bytes, kI386Eip, 4, 5, kI386Eflags, 4, "i386"},
};
static_assert(kAmd64.count == kAmd64RegisterCount && kI386.count == kI386RegisterCount);
// The numbers of the header are those of the rows.
static_assert(kLayouts[0].Find("st0") == kAmd64St0 && kLayouts[0].Find("fctrl") == kAmd64Fctrl &&
              kLayouts[0].Find("xmm0") == kAmd64Xmm0 && kLayouts[0].Find("mxcsr") == kAmd64Mxcsr &&
              kLayouts[0].Find("orig_rax") == kAmd64OrigRax &&
              kLayouts[0].Find("gs_base") == kAmd64GsBase &&
              kLayouts[0].Find("ymm0h") == kAmd64Ymm0h && kLayouts[0].Find("cs") == kAmd64Cs);
static_assert(kLayouts[1].Find("st0") == kI386St0 && kLayouts[1].Find("fctrl") == kI386Fctrl &&
              kLayouts[1].Find("xmm0") == kI386Xmm0 && kLayouts[1].Find("mxcsr") == kI386Mxcsr &&
              kLayouts[1].Find("orig_eax") == kI386OrigEax &&
              kLayouts[1].Find("ymm0h") == kI386Ymm0h && kLayouts[1].Find("cs") == kI386Cs);

}  // namespace

const RegisterLayout& LayoutOf(Architecture architecture) {
  return kLayouts[static_cast<std::size_t>(architecture)];
}

std::size_t OffsetOf(Architecture architecture, RegisterNumber number) {
  return LayoutOf(architecture).rows[number].offset;
}

}  // namespace glovebox::gdbstub
