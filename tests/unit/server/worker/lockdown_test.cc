// The lock, tried from inside: each test is a child that locks itself as a worker does.
#include "server/worker/lockdown/lockdown.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "locked_child.h"
#include "server/worker/lockdown/landlock.h"
#include "server/worker/lockdown/seccomp_table.h"

namespace glovebox::worker {
namespace {

using testing::HasSubstr;

// Beyond the last system call of any kernel there is.
constexpr long kNumbersToTry = 512;
// Newer kernels let these pass every filter, because they put them into programs themselves: traps
// of uprobes, which kill or refuse a caller outside of a probe. linux, arch/x86/kernel/uprobes.c.
constexpr long kUretprobe = 335;
constexpr long kUprobe = 336;

TEST(SeccompTest, EachHostCallOutsideTheTableKillsTheWorker) {
  std::set<long> allowed;
  for (const SeccompRow& row : SeccompTable()) allowed.insert(row.number);
  for (long number = 0; number < kNumbersToTry; ++number) {
    if (allowed.contains(number) || number == kUretprobe || number == kUprobe) continue;
    EXPECT_EQ(EndOf([&] { return ::syscall(number, 0, 0, 0, 0, 0, 0) == 0 ? 1 : 2; }), "SIGSYS")
        << "system call " << number;
  }
}

// Arguments that satisfy each rule of a row and are otherwise harmless.
std::array<long, 6> ArgumentsFor(const SeccompRow& row) {
  std::array<long, 6> arguments{-1, -1, -1, -1, -1, -1};
  for (const ArgumentRule& rule : row.rules) {
    switch (rule.test) {
      case ArgumentTest::kAny:
        break;
      case ArgumentTest::kEquals:
        arguments[rule.argument] = rule.value;
        break;
      case ArgumentTest::kAtLeast:
        arguments[rule.argument] = 1'000'000;
        break;
      case ArgumentTest::kNoBits:
        arguments[rule.argument] = 0;
        break;
      case ArgumentTest::kOwnPid:
        arguments[rule.argument] = ::getpid();
        break;
    }
  }
  return arguments;
}

long CallRow(const SeccompRow& row, const std::array<long, 6>& a) {
  return ::syscall(row.number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

TEST(SeccompTest, EachRowIsAllowedWhereItsRulesHold) {
  for (const SeccompRow& row : SeccompTable()) {
    const std::string end = EndOf([&] {
      CallRow(row, ArgumentsFor(row));
      return 0;
    });
    EXPECT_NE(end, "SIGSYS") << row.name;
  }
}

TEST(SeccompTest, EachRuleOfARowKillsWhereItIsBroken) {
  for (const SeccompRow& row : SeccompTable()) {
    for (const ArgumentRule& rule : row.rules) {
      if (rule.test == ArgumentTest::kAny) continue;
      EXPECT_EQ(EndOf([&] {
                  auto arguments = ArgumentsFor(row);
                  arguments[rule.argument] = rule.test == ArgumentTest::kNoBits ? rule.value | 1
                                             : rule.test == ArgumentTest::kAtLeast
                                                 ? rule.value - 1
                                                 : arguments[rule.argument] + 1;
                  CallRow(row, arguments);
                  return 0;
                }),
                "SIGSYS")
          << row.name << ": " << rule.text;
    }
  }
}

TEST(SeccompTest, EachRowHasANameAReasonAndANumberOfItsOwn) {
  std::set<long> numbers;
  for (const SeccompRow& row : SeccompTable()) {
    EXPECT_FALSE(row.name.empty());
    EXPECT_GT(row.reason.size(), 5u) << row.name;
    EXPECT_TRUE(numbers.insert(row.number).second) << row.name;
    for (const ArgumentRule& rule : row.rules) {
      EXPECT_EQ(rule.test == ArgumentTest::kAny, rule.text.empty()) << row.name;
    }
    EXPECT_THAT(SeccompAuditPage(), HasSubstr(std::string(row.name)));
    EXPECT_THAT(SeccompAuditPage(), HasSubstr(std::string(row.reason)));
  }
}

// The promises by name, as a taken-over worker would try them.
struct TryRow {
  const char* name;
  int (*action)();
};
const TryRow kTries[] = {
    {"open a file", [] { return ::open("/etc/passwd", O_RDONLY); }},
    {"open a socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
    {"execute a program", [] { return ::execl("/bin/true", "true", nullptr); }},
    {"fork", [] { return static_cast<int>(::syscall(SYS_fork)); }},
    {"trace its parent",
     [] { return static_cast<int>(::syscall(SYS_ptrace, 16, ::getpid(), 0, 0)); }},
    {"kill another process", [] { return ::kill(1, 0); }},
    {"kill another process by thread",
     [] { return static_cast<int>(::syscall(SYS_tgkill, 1, 1, SIGABRT)); }},
    {"map memory for execution",
     [] {
       return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                      nullptr
                  ? 0
                  : 1;
     }},
    {"make memory executable", [] { return ::mprotect(nullptr, 4096, PROT_READ | PROT_EXEC); }},
    {"become dumpable again", [] { return ::prctl(PR_SET_DUMPABLE, 1); }},
    {"disarm its lifeline", [] { return ::fcntl(kStderrFd, F_SETFL, 0); }},
    {"close its lifeline", [] { return ::close(kStderrFd); }},
    {"replace its lifeline", [] { return ::dup2(kChannelFd, kStderrFd); }},
    {"ask whether a file exists", [] { return ::access("/etc/passwd", F_OK); }},
    {"leave by int 0x80",
     [] {
       int result = 20;  // getpid of i386
       asm volatile("int $0x80" : "+a"(result) : : "memory");
       return result;
     }},
    {"leave by an x32 number", [] { return static_cast<int>(::syscall(0x40000000 + SYS_getpid)); }},
};

TEST(LockdownTest, TakenOverWorkerCannot) {
  for (const TryRow& row : kTries) EXPECT_EQ(EndOf(row.action), "SIGSYS") << row.name;
}

TEST(LockdownTest, AbortStillDiesAsAbort) {
  EXPECT_EQ(EndOf([]() -> int { ::abort(); }), "SIGABRT");
}

TEST(LockdownTest, OrdinaryFaultStillDiesAsItself) {
  EXPECT_EQ(EndOf([]() -> int {
              void* const hole =
                  ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return *static_cast<volatile char*>(hole);
            }),
            "SIGSEGV");
}

TEST(LockdownTest, MemoryCanStillBeHad) {
  EXPECT_EQ(EndOf([] {
              std::string big(64 << 20, 'x');
              big.resize(128 << 20, 'y');
              return big.back() == 'y' ? 0 : 1;
            }),
            "exit 0");
}

// One line of /proc/pid/status or limits.
std::string LineOf(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return line;
  }
  return "no " + key + " in " + path;
}

// A child that is locked and stays until its channel says something.
class LockedStateTest : public testing::Test {
 protected:
  LockedStateTest()
      : child_([] {
          constexpr char kReady[] = {'r'};
          channel::SendSome(kChannelFd, kReady, -1, true);
          for (volatile bool forever = true; forever;) {
          }
          return 0;
        }) {
    std::array<char, 1> ready{};
    channel::ReceiveSome(child_.channel(), ready, nullptr, /*block=*/true);
  }
  std::string Status(const std::string& key) {
    return LineOf("/proc/" + std::to_string(child_.pid()) + "/status", key);
  }

  LockedChild child_;
};

TEST_F(LockedStateTest, HasNoPrivilegesLeft) {
  const std::string none = "\t0000000000000000";
  EXPECT_EQ(Status("CapEff:"), "CapEff:" + none);
  EXPECT_EQ(Status("CapPrm:"), "CapPrm:" + none);
  EXPECT_EQ(Status("CapInh:"), "CapInh:" + none);
  EXPECT_EQ(Status("CapAmb:"), "CapAmb:" + none);
  EXPECT_EQ(Status("NoNewPrivs:"), "NoNewPrivs:\t1");
  EXPECT_EQ(Status("Seccomp:"), "Seccomp:\t2");
  EXPECT_THAT(Status("Uid:"), testing::Not(HasSubstr("\t0\t")));
}

TEST_F(LockedStateTest, DiesWithTheDaemonThoughItNeverLooksUp) {
  child_.CutLifeline();
  EXPECT_EQ(child_.Wait(), "SIGKILL");
}

TEST_F(LockedStateTest, HoldsNothingButItsFourDescriptors) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may look into a process that is not dumpable";
  const std::string folder = "/proc/" + std::to_string(child_.pid()) + "/fd/";
  for (int fd = 0; fd < 64; ++fd) {
    std::array<char, 64> target;
    const bool open =
        ::readlink((folder + std::to_string(fd)).c_str(), target.data(), target.size()) > 0;
    EXPECT_EQ(open, fd <= kChannelFd) << fd;
  }
}

TEST(LandlockTest, AloneForbidsTheFileSystem) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!ForbidByLandlock().in_force) ::_exit(77);
    const bool refused = ::open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES;
    const bool no_folder = ::open("/", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES;
    ::_exit(refused && no_folder ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace glovebox::worker
