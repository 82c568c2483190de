// seccomp(2): which system calls a thread may make. Programs of classic BPF look at a call before
// it begins; the strictest of their answers counts.
// Source: kernel/seccomp.c, net/core/filter.c (bpf_check_classic) of Linux 6.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace glovebox::engine {

// uapi/linux/filter.h, sock_filter.
struct BpfInstruction {
  std::uint16_t code;
  std::uint8_t if_true, if_false;
  std::uint32_t k;
};
static_assert(sizeof(BpfInstruction) == 8);

// uapi/linux/seccomp.h, seccomp_data: all that a program can see.
struct SeccompData {
  std::int32_t number;
  std::uint32_t architecture;
  std::uint64_t instruction_pointer;
  std::uint64_t arguments[6];
};
static_assert(sizeof(SeccompData) == 64);

enum SeccompAction : std::uint32_t {
  kSeccompKillProcess = 0x80000000,
  kSeccompKillThread = 0,
  kSeccompTrap = 0x00030000,
  kSeccompErrno = 0x00050000,
  kSeccompNotify = 0x7fc00000,
  kSeccompTrace = 0x7ff00000,
  kSeccompLog = 0x7ffc0000,
  kSeccompAllow = 0x7fff0000,
};
inline constexpr std::uint32_t kSeccompActionMask = 0xffff0000;

// A program and those that were there before it: none is ever taken away.
struct SeccompFilter {
  std::shared_ptr<const SeccompFilter> below;
  std::vector<BpfInstruction> program;
  bool strict = false;         // SECCOMP_MODE_STRICT: no program
  std::size_t count = 1;       // of programs, this one and those below
  std::size_t total_size = 0;  // of theirs, as the limit counts it
};

inline constexpr std::size_t kMaxBpfInstructions = 4096;
// Of all programs of a thread, each with 4 more.
inline constexpr std::size_t kMaxSeccompPath = 32768;

// May the program run? It ends, and looks at nothing that is not there.
bool IsSeccompProgram(std::span<const BpfInstruction> program);
// The answer of one program, which passed that check.
std::uint32_t RunSeccompProgram(std::span<const BpfInstruction> program, const SeccompData& data);
// The answer of all of them; not of strict mode.
std::uint32_t RunSeccomp(const SeccompFilter& filter, const SeccompData& data);

}  // namespace glovebox::engine
