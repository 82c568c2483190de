#include "server/worker/lockdown/seccomp_table.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <csignal>
#include <iterator>
#include <string>

namespace glovebox::worker {
namespace {

constexpr ArgumentRule kOnChannel{0, ArgumentTest::kEquals, kChannelFd, "fd is the channel"};
constexpr ArgumentRule kOnStderr{0, ArgumentTest::kEquals, kStderrFd, "fd is stderr"};
constexpr ArgumentRule kNotFixedFd{0, ArgumentTest::kAtLeast, kFirstFreeFd, "fd is none of 0 to 3"};
constexpr ArgumentRule kNotExecutable{2, ArgumentTest::kNoBits, PROT_EXEC,
                                      "prot without PROT_EXEC"};
constexpr ArgumentRule kSelf{0, ArgumentTest::kOwnPid, 0, "thread group is the worker itself"};
constexpr ArgumentRule kAbortSignal{2, ArgumentTest::kEquals, SIGABRT, "signal is SIGABRT"};

// What is not here, is not needed: no open, no socket, no exec, no clone, no dup2 or fcntl (the
// lifeline could be disarmed), no kill, no prctl, no ioctl, and no newfstatat, which would tell
// what files exist.
constexpr SeccompRow kTable[] = {
    {SYS_poll, "poll", {}, "looks at the channel after each slice; waits for the daemon"},
    {SYS_recvmsg, "recvmsg", {kOnChannel}, "messages of the daemon, and blobs as descriptors"},
    {SYS_sendmsg, "sendmsg", {kOnChannel}, "messages to the daemon"},
    {SYS_pread64, "pread64", {}, "bytes of blobs; what can be read is what the daemon gave"},
    {SYS_close, "close", {kNotFixedFd}, "blobs that are no longer needed"},
    {SYS_mmap, "mmap", {kNotExecutable}, "guest windows, file mappings of blobs, the heap"},
    {SYS_mprotect, "mprotect", {kNotExecutable}, "the heap, and guard ranges of windows"},
    {SYS_munmap, "munmap", {}, "guest windows and the heap"},
    {SYS_mremap, "mremap", {}, "realloc(3) of large blocks; moved file mappings"},
    {SYS_madvise, "madvise", {}, "gives guest memory back; no huge pages in windows"},
    {SYS_brk, "brk", {}, "malloc(3)"},
    {SYS_clock_gettime, "clock_gettime", {}, "processor time; slices where the vDSO has no clock"},
    {SYS_write, "write", {kOnStderr}, "last words: a failed check, a sanitizer's report"},
    {SYS_restart_syscall, "restart_syscall", {}, "resumes a poll after SIGSTOP and SIGCONT"},
    {SYS_rt_sigprocmask, "rt_sigprocmask", {}, "abort(3): a broken invariant dies as SIGABRT"},
    {SYS_rt_sigaction, "rt_sigaction", {}, "abort(3)"},
    {SYS_gettid, "gettid", {}, "abort(3)"},
    {SYS_getpid, "getpid", {}, "abort(3)"},
    {SYS_tgkill, "tgkill", {kSelf, kAbortSignal}, "abort(3)"},
    {SYS_exit_group, "exit_group", {}, "the end"},
};

}  // namespace

std::vector<SeccompRow> SeccompTable() {
  std::vector<SeccompRow> rows(std::begin(kTable), std::end(kTable));
  const std::span<const SeccompRow> more = SanitizerRows();
  rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

std::string SeccompAuditPage() {
  std::string page =
      "Host system calls of a locked glovebox-worker. Any other call, and a call whose arguments\n"
      "break its rule, kills the process (SECCOMP_RET_KILL_PROCESS), also calls of other ABIs\n"
      "(i386, x32).\n\n";
  for (const SeccompRow& row : SeccompTable()) {
    std::string rules;
    for (const ArgumentRule& rule : row.rules) {
      if (rule.test == ArgumentTest::kAny) continue;
      rules += (rules.empty() ? "" : ", ") + std::string(rule.text);
    }
    page += std::string(row.name) + (rules.empty() ? "" : " [" + rules + "]") + ": " +
            std::string(row.reason) + "\n";
  }
  return page;
}

}  // namespace glovebox::worker
