// The guest's world: everything that a guest can observe and that no program of its own decided.
// One row each: what it is, why, and whether a job's spec may override it. `glovebox world` prints
// this table; the epoch covers it. A header of constants only: the client includes it without
// linking the engine.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace glovebox::engine {

enum class WorldId : std::uint8_t {
  kStartTime,
  kInstructionTime,
  kSyscallTime,
  kByteTime,
  kQuantum,
  kHostname,
  kDomainname,
  kMachineId,
  kKernelName,
  kKernelRelease,
  kKernelVersion,
  kMachine,
  kMachine32,
  kCpus,
  kCpuModel,
  kMemory,
  kUid,
  kGid,
  kUmask,
  kPid,
  kParentPid,
  kWorkingDirectory,
  kEnvironment,
  kPageBytes,
  kStandardStreams,
  kStandardInput,
  kInodeNumbers,
  kDirectoryOrder,
  kRandomness,
  kAddresses,
  kAddressSpaceBytes,
  kAddressSpaces,
  kScheduling,
  kClocks,
};

enum class WorldKind : std::uint8_t {
  kText,    // 1 to 64 bytes of printable ASCII without blanks
  kNumber,  // decimal, within [least, most]
  kOctal,   // octal, within [least, most]
  kChoice,  // one of `choices`
  kFact,    // cannot be overridden: said for the reader
};

struct WorldRow {
  WorldId id;
  std::string_view name;  // as in world_overrides
  std::string_view value;
  WorldKind kind;
  std::uint64_t least;
  std::uint64_t most;
  std::string_view reason;
  std::string_view choices = {};  // with commas between them
  constexpr bool overridable() const { return kind != WorldKind::kFact; }
};

inline constexpr std::uint64_t kMaxId = 4'294'967'294;  // (uid_t) -1 means "leave it"

inline constexpr std::array kWorld{
    WorldRow{WorldId::kStartTime, "start_time", "1767225600", WorldKind::kNumber, 0, 4'102'444'800,
             "seconds since 1970 when the box starts (2026-01-01T00:00:00Z): fixed, and later than "
             "any file's default "
             "time, so that make(1) and tar(1) do not meet files from the future"},
    WorldRow{WorldId::kInstructionTime, "instruction_time_ns", "1", WorldKind::kFact, 0, 0,
             "virtual time of one retired instruction; the time-stamp counter runs at 1 GHz"},
    WorldRow{WorldId::kSyscallTime, "syscall_time_ns", "200", WorldKind::kNumber, 0, 1'000'000,
             "virtual time of one system call: about what one costs on hardware, so that a guest "
             "that polls a clock "
             "gets somewhere"},
    WorldRow{WorldId::kByteTime, "bytes_per_ns", "4", WorldKind::kNumber, 1, 1'000'000,
             "bytes that a system call moves in one nanosecond of virtual time"},
    WorldRow{
        WorldId::kQuantum, "quantum_insns", "100000", WorldKind::kNumber, 1, 1'000'000'000,
        "the most instructions of a task's turn while others are ready: a tenth of a millisecond"},
    WorldRow{WorldId::kHostname, "hostname", "glovebox", WorldKind::kText, 0, 0,
             "uname(2); says where one is; the box' superuser may change it: sethostname(2)"},
    WorldRow{WorldId::kDomainname, "domainname", "(none)", WorldKind::kText, 0, 0,
             "uname(2); Linux' default"},
    WorldRow{WorldId::kMachineId, "machine_id", "676c6f7665626f780000000000000001",
             WorldKind::kText, 0, 0,
             "/proc/sys/kernel/random/boot_id is derived from it; a constant, as a host's would "
             "leak which host it is"},
    WorldRow{WorldId::kKernelName, "kernel_name", "Linux", WorldKind::kFact, 0, 0, "uname(2)"},
    WorldRow{WorldId::kKernelRelease, "kernel_release", "6.1.0-glovebox", WorldKind::kText, 0, 0,
             "uname(2): the kernel of Debian 12, whose behaviour is the model; C libraries compare "
             "it with a minimum"},
    WorldRow{WorldId::kKernelVersion, "kernel_version", "#1-Glovebox", WorldKind::kText, 0, 0,
             "uname(2)"},
    WorldRow{WorldId::kMachine, "machine", "x86_64", WorldKind::kFact, 0, 0, "uname(2)"},
    WorldRow{WorldId::kMachine32, "machine_32", "i686", WorldKind::kFact, 0, 0,
             "uname(2) under the personality PER_LINUX32, AT_PLATFORM of i386 programs; otherwise "
             "these see x86_64 too, as under a 64-bit kernel"},
    WorldRow{WorldId::kCpus, "cpus", "1", WorldKind::kFact, 0, 0,
             "one host thread runs a box, so one CPU is the truth"},
    WorldRow{
        WorldId::kCpuModel, "cpu_model", "AMD Zen 2, x86-64-v3", WorldKind::kFact, 0, 0,
        "CPUID, HWCAPs, /proc/cpuinfo: family 23, model 49, offering just what is implemented; "
        "undefined flags are those of that family"},
    WorldRow{WorldId::kMemory, "memory", "the limit mem", WorldKind::kFact, 0, 0,
             "sysinfo(2), /proc/meminfo: programs size their caches by it"},
    WorldRow{WorldId::kUid, "uid", "0", WorldKind::kNumber, 0, kMaxId,
             "root of a box that it cannot leave: most programs just work; nothing of the host's "
             "knows this uid"},
    WorldRow{WorldId::kGid, "gid", "0", WorldKind::kNumber, 0, kMaxId, "as uid"},
    WorldRow{WorldId::kUmask, "umask", "022", WorldKind::kOctal, 0, 0777, "the usual one"},
    WorldRow{WorldId::kPid, "pid", "2", WorldKind::kFact, 0, 0,
             "not 1: Linux drops signals that process 1 has no handler for"},
    WorldRow{WorldId::kParentPid, "parent_pid", "1", WorldKind::kFact, 0, 0,
             "the box itself: a process without a program, in /proc and for kill(2); takes no "
             "signals, takes in orphans and reaps them, as under `docker run --init`"},
    WorldRow{WorldId::kWorkingDirectory, "working_directory", "/", WorldKind::kFact, 0, 0,
             "the job's spec has a field of its own for it"},
    WorldRow{WorldId::kEnvironment, "environment", "the job's", WorldKind::kFact, 0, 0,
             "what the job's spec says; clients start from kDefaultEnvironment (default_root.h); "
             "never the host's"},
    WorldRow{WorldId::kPageBytes, "page_size", "4096", WorldKind::kFact, 0, 0,
             "x86-64 has no other"},
    WorldRow{WorldId::kStandardStreams, "standard_streams", "pipes", WorldKind::kFact, 0, 0,
             "stdin, stdout and stderr are pipes (S_IFIFO, ESPIPE, ENOTTY), as in a pipeline: "
             "programs neither colour nor page their output; of a job with a terminal they are "
             "/dev/pts/0, and its first process leads the session"},
    WorldRow{WorldId::kStandardInput, "standard_input", "whole reads", WorldKind::kFact, 0, 0,
             "a read of n bytes of stdin returns n (at most 1 MiB) unless the end comes first; it "
             "waits with the box and its time frozen, so that timing and chunking leave no mark; a "
             "live one gives what has come, and a journal keeps when"},
    WorldRow{WorldId::kInodeNumbers, "inode_numbers", "in order of first use", WorldKind::kFact, 0,
             0, "deterministic without a number in the root's tree"},
    WorldRow{WorldId::kDirectoryOrder, "directory_order", "by name, then by creation",
             WorldKind::kFact, 0, 0,
             "the root's entries by name, bytewise; what the guest makes follows in order"},
    WorldRow{WorldId::kRandomness, "randomness", "from the seed", WorldKind::kFact, 0, 0,
             "getrandom(2), /dev/urandom, AT_RANDOM: SplitMix64 streams of the job's seed; not for "
             "secrets"},
    WorldRow{WorldId::kAddresses, "addresses", "from the seed", WorldKind::kFact, 0, 0,
             "stack, heap, mappings and position-independent programs are placed at random, by the "
             "seed, so that "
             "programs that depend on addresses are found by another seed"},
    WorldRow{
        WorldId::kAddressSpaceBytes, "address_space", "128 TiB", WorldKind::kFact, 0, 0,
        "what a 64-bit process can map, all of what it can on Linux; i386 programs have 4 GiB. "
        "What is mapped without address lies close together: in 128 GiB, as long as it fits"},
    WorldRow{WorldId::kAddressSpaces, "address_spaces", "640", WorldKind::kFact, 0, 0,
             "processes at once that do not share their memory (threads do); beyond it fork(2) is "
             "EAGAIN: what "
             "every host has room for"},
    WorldRow{
        WorldId::kScheduling, "scheduling", "round-robin", WorldKind::kChoice, 0, 0,
        "tasks take turns of quantum_insns instructions, or up to a quarter less "
        "by turns, so that no loop keeps step with them; a wait, sched_yield(2) and the end "
        "give up the rest of a turn; when every task waits, time jumps to the next timer: "
        "sleeps are free. \"chaos\" draws from the seed whose turn it is and how long, at most "
        "quantum_insns: races come to light, and each seed repeats them exactly",
        "round-robin,chaos"},
    WorldRow{WorldId::kClocks, "clocks", "one", WorldKind::kFact, 0, 0,
             "CLOCK_REALTIME is start_time plus virtual time, CLOCK_MONOTONIC and CLOCK_BOOTTIME "
             "are virtual time; CPU "
             "clocks leave out the jumps of sleeps; setting a clock is EPERM; with a "
             "real clock sleeps last as long as outside, and a journal keeps when they ended"},
};

constexpr const WorldRow& Row(WorldId id) { return kWorld[static_cast<std::size_t>(id)]; }

constexpr const WorldRow* FindWorldRow(std::string_view name) {
  for (const WorldRow& row : kWorld) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

constexpr bool EachWorldRowOnceInOrder() {
  for (std::size_t i = 0; i < kWorld.size(); ++i) {
    if (static_cast<std::size_t>(kWorld[i].id) != i || FindWorldRow(kWorld[i].name) != &kWorld[i])
      return false;
  }
  return true;
}
static_assert(EachWorldRowOnceInOrder());

}  // namespace glovebox::engine
