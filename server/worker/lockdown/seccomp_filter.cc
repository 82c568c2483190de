#include "server/worker/lockdown/seccomp_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace glovebox::worker {
namespace {

using Program = std::vector<sock_filter>;

// seccomp(2): the words of struct seccomp_data. Little-endian: the low half of an argument comes
// first.
constexpr std::uint32_t kArchOffset = offsetof(seccomp_data, arch);
constexpr std::uint32_t kNumberOffset = offsetof(seccomp_data, nr);
constexpr std::uint32_t ArgumentOffset(std::uint8_t argument) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) +
                                    argument * sizeof(std::uint64_t));
}

sock_filter Load(std::uint32_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
sock_filter Return(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }
// Goes on where the test holds (or does not hold, with `negate`), else skips `skip` statements.
sock_filter Require(std::uint16_t test, std::uint32_t value, std::uint8_t skip,
                    bool negate = false) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | BPF_K | test), value,
                  negate ? skip : std::uint8_t{0}, negate ? std::uint8_t{0} : skip);
}

// Two statements: load the argument, and kill (the statement behind the jump) unless the rule
// holds.
void AppendRule(const ArgumentRule& rule, std::uint32_t own_pid, Program* program) {
  program->push_back(Load(ArgumentOffset(rule.argument)));
  // The test jumps over the kill when it holds.
  const auto unless = [&](std::uint16_t test, std::uint32_t value, bool negate = false) {
    program->push_back(Require(test, value, 1, !negate));
  };
  switch (rule.test) {
    case ArgumentTest::kAny:
      program->pop_back();
      return;
    case ArgumentTest::kEquals:
      unless(BPF_JEQ, rule.value);
      break;
    case ArgumentTest::kNoBits:
      unless(BPF_JSET, rule.value, true);
      break;
    case ArgumentTest::kAtLeast:
      unless(BPF_JGE, rule.value);
      break;
    case ArgumentTest::kOwnPid:
      unless(BPF_JEQ, own_pid);
      break;
  }
  program->push_back(Return(SECCOMP_RET_KILL_PROCESS));
}

}  // namespace

Program BuildSeccompFilter(std::span<const SeccompRow> table, std::uint32_t own_pid) {
  Program program{Load(kArchOffset), Require(BPF_JEQ, AUDIT_ARCH_X86_64, 1, true),
                  Return(SECCOMP_RET_KILL_PROCESS), Load(kNumberOffset)};
  for (const SeccompRow& row : table) {
    Program block;
    for (const ArgumentRule& rule : row.rules) AppendRule(rule, own_pid, &block);
    block.push_back(Return(SECCOMP_RET_ALLOW));
    program.push_back(Require(BPF_JEQ, static_cast<std::uint32_t>(row.number),
                              static_cast<std::uint8_t>(block.size())));
    program.insert(program.end(), block.begin(), block.end());
  }
  program.push_back(Return(SECCOMP_RET_KILL_PROCESS));
  return program;
}

int LoadSeccompFilter(std::span<sock_filter> program) {
  const sock_fprog loaded{static_cast<unsigned short>(program.size()), program.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &loaded) == 0 ? 0 : errno;
}

}  // namespace glovebox::worker
