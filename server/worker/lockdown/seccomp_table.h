// The host system calls that a locked worker may make, one row each, with the reason. Everything
// else kills it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glovebox::worker {

// The worker's descriptors that live as long as it does; blobs come above them.
inline constexpr int kStderrFd = 2;  // also the lifeline, see lifeline.h
inline constexpr int kChannelFd = 3;
inline constexpr int kFirstFreeFd = 4;

enum class ArgumentTest : std::uint8_t {
  kAny,
  kEquals,   // argument == value
  kNoBits,   // (argument & value) == 0
  kAtLeast,  // argument >= value, unsigned
  kOwnPid,   // argument == the worker's process id
};

// Looks at the low 32 bits: all that the kernel itself looks at in the descriptors, flags and ids
// that rows test.
struct ArgumentRule {
  std::uint8_t argument = 0;  // 0 to 5
  ArgumentTest test = ArgumentTest::kAny;
  std::uint32_t value = 0;
  std::string_view text;  // for the audit page
};

struct SeccompRow {
  long number = 0;
  std::string_view name;
  std::array<ArgumentRule, 2> rules{};
  std::string_view reason;
};

// Every row in force, those for a sanitizer's run-time included where this build has one.
std::vector<SeccompRow> SeccompTable();

// What the build's sanitizer needs besides; sanitizer_rows.cc or no_sanitizer_rows.cc, as CMake
// chooses.
std::span<const SeccompRow> SanitizerRows();

// The table as a page for auditors: `glovebox-worker --print-seccomp`.
std::string SeccompAuditPage();

}  // namespace glovebox::worker
