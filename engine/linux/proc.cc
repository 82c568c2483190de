#include "engine/linux/proc.h"

#include <fmt/format.h>

#include <bit>
#include <functional>
#include <utility>

#include "engine/linux/cpuinfo.h"
#include "engine/vfs/device.h"
#include "engine/vfs/open_file.h"
#include "engine/vfs/resolve.h"

namespace glovebox::engine {
namespace {

using Services = std::shared_ptr<VfsServices>;

// A link of /proc that leads to a node, whatever its name is by now.
class JumpLink : public Symlink {
 public:
  using Where = std::function<PathRef()>;
  JumpLink(Services services, Task& task, Where where)
      : Symlink(std::move(services), "", kProcDevice), task_(task), where_(std::move(where)) {}

  Result<std::string, Errno> Target() const override {
    const PathRef ref = where_();
    if (!ref.inode) return std::unexpected(kENOENT);
    if (ref.inode->is(kTypeFifo) && !ref.parent) return fmt::format("pipe:[{}]", ref.inode->number);
    return DisplayPath(task_.fs().root, ref);
  }
  Result<std::optional<PathRef>, Errno> Jump() const override {
    PathRef ref = where_();
    if (!ref.inode) return std::unexpected(kENOENT);
    return ref;
  }

 private:
  Task& task_;
  Where where_;
};

// /proc/self/fd: one link for each open descriptor.
class FdDirectory : public Directory {
 public:
  FdDirectory(Services services, Task& task)
      : Directory(std::move(services), 0500, kProcDevice), task_(task) {}

  Result<std::shared_ptr<Inode>, Errno> Find(const std::string& name) override {
    for (int fd = 0; fd < task_.fds().size(); ++fd) {
      if (task_.fds().IsOpen(fd) && name == std::to_string(fd)) return Link(fd);
    }
    return std::unexpected(kENOENT);
  }
  Result<std::vector<DirectoryEntry>, Errno> List(std::uint64_t cookie, std::size_t max) override {
    std::vector<DirectoryEntry> out;
    for (int fd = static_cast<int>(cookie - kFirstCookie);
         fd < task_.fds().size() && out.size() < max; ++fd) {
      if (!task_.fds().IsOpen(fd)) continue;
      const auto next = static_cast<std::uint64_t>(fd) + 1 + kFirstCookie;
      out.push_back({std::to_string(fd), NumberOf(fd), kTypeSymlink, next});
    }
    return out;
  }

 private:
  // Made up at each look, so the number follows from the descriptor instead of being drawn.
  std::uint64_t NumberOf(int fd) const { return (number << 20) + static_cast<std::uint64_t>(fd); }
  std::shared_ptr<Inode> Link(int fd) {
    auto link = std::make_shared<JumpLink>(services(), task_, [this, fd]() -> PathRef {
      const auto file = task_.fds().Get(fd);
      return file ? file->path() : PathRef{};
    });
    --services()->next_inode;
    link->number = NumberOf(fd);
    return link;
  }

  Task& task_;
};

// A directory of /proc: once it is put together nobody adds to it or takes from it, root neither.
class ProcDirectory : public TreeDirectory {
 public:
  ProcDirectory(Services services, std::shared_ptr<const bool> sealed)
      : TreeDirectory(std::move(services), 0555u, kProcDevice), sealed_(std::move(sealed)) {}

  // The errors of Linux: proc has no operations for either.
  Result<void, Errno> Insert(const std::string& name, std::shared_ptr<Inode> inode) override {
    if (*sealed_) return std::unexpected(kENOENT);
    return TreeDirectory::Insert(name, std::move(inode));
  }
  Result<void, Errno> Erase(const std::string& name) override {
    if (*sealed_) return std::unexpected(kEPERM);
    return TreeDirectory::Erase(name);
  }
  const std::shared_ptr<const bool>& sealed() const { return sealed_; }

 private:
  std::shared_ptr<const bool> sealed_;  // one for the whole tree
};

void AddFile(Directory& directory, std::string name, std::uint32_t mode,
             GeneratedFile::Generator text) {
  auto file =
      std::make_shared<GeneratedFile>(directory.services(), mode, kProcDevice, std::move(text));
  static_cast<void>(directory.Insert(name, std::move(file)));
}

std::shared_ptr<ProcDirectory> AddDirectory(ProcDirectory& parent, const std::string& name) {
  auto directory = std::make_shared<ProcDirectory>(parent.services(), parent.sealed());
  static_cast<void>(parent.Insert(name, directory));
  return directory;
}

void AddLink(Directory& directory, const std::string& name, std::string target) {
  auto link = std::make_shared<Symlink>(directory.services(), std::move(target), directory.device);
  static_cast<void>(directory.Insert(name, std::move(link)));
}

// proc(5), /proc/PID/maps.
std::string Maps(Task& task) {
  std::string text;
  for (const Mapping& row : task.space().Mappings()) {
    const auto bit = [&row](std::uint8_t flag, char c) {
      return (row.protection & flag) != 0 ? c : '-';
    };
    std::string line =
        fmt::format("{:08x}-{:08x} {}{}{}{} {:08x} {} {} ", row.start, row.end, bit(kProtRead, 'r'),
                    bit(kProtWrite, 'w'), bit(kProtExec, 'x'), row.shared ? 's' : 'p',
                    row.file_offset_bytes, row.name.starts_with('/') ? "08:01" : "00:00", 0);
    if (!row.name.empty()) line = fmt::format("{:<73}{}", line, row.name);
    text += line + "\n";
  }
  return text;
}

std::uint64_t MappedBytes(Task& task) {
  std::uint64_t total = 0;
  for (const Mapping& row : task.space().Mappings()) total += row.end - row.start;
  return total;
}

// A range of the program's first stack: its arguments or its environment.
std::string StackText(Task& task, GuestAddr start, GuestAddr end) {
  std::string text(static_cast<std::size_t>(end - start), '\0');
  text.resize(task.space().Peek(std::as_writable_bytes(std::span(text)), start));
  return text;
}

std::string Stat(Task& task) {
  const Program& program = *task.program;
  const std::uint64_t ticks = task.kernel.CpuTime() / 10'000'000;
  const std::uint64_t rss = task.kernel.memory_meter.used_bytes() / kPageSize;
  return fmt::format(
      "{} ({}) R {} {} {} 0 -1 4194304 0 0 0 0 {} 0 0 0 20 0 1 0 0 {} {} {} {} {} {} 0 0 0 0 0 0 0 "
      "0 0 17 0 0 0 0 0 0 "
      "{} {} {} {} {} {} {} 0\n",
      task.process.pid, program.command, 1, task.process.group, task.process.session, ticks,
      MappedBytes(task), rss, ~std::uint64_t{0}, program.image.code_start, program.image.code_end,
      program.stack.stack_pointer, program.image.data_start, program.image.data_end,
      program.brk_start, program.stack.argv_start, program.stack.argv_end, program.stack.env_start,
      program.stack.env_end);
}

std::string Status(Task& task) {
  const Credentials& who = task.credentials;
  std::string groups;
  for (const std::uint32_t group : who.groups) groups += fmt::format("{} ", group);
  SignalSet ignored = 0;
  SignalSet caught = 0;
  for (int signal = 1; signal <= kSignalCount; ++signal) {
    const std::uint64_t handler = task.signals.action(signal).handler;
    if (handler == kHandlerIgnore) ignored |= SetOf(signal);
    if (handler > kHandlerIgnore) caught |= SetOf(signal);
  }
  const std::uint64_t rss_kib = task.kernel.memory_meter.used_bytes() / 1024;
  return fmt::format(
      "Name:\t{}\nUmask:\t{:04o}\nState:\tR "
      "(running)\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t1\nTracerPid:\t0\n"
      "Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t64\nGroups:\t{}\nVmPeak:\t{:8} "
      "kB\nVmSize:\t{:8} kB\n"
      "VmHWM:\t{:8} kB\nVmRSS:\t{:8} "
      "kB\nThreads:\t1\nSigQ:\t0/{}\nSigPnd:\t{:016x}\nShdPnd:\t{:016x}\n"
      "SigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\nNoNewPrivs:\t{}\nSeccomp:\t0\nCpus_"
      "allowed:\t1\n"
      "Cpus_allowed_list:\t0\n",
      task.program->command, task.fs().umask, task.process.pid, task.tid, who.uid, who.euid,
      who.suid, who.fsuid, who.gid, who.egid, who.sgid, who.fsgid, groups, MappedBytes(task) / 1024,
      MappedBytes(task) / 1024, task.kernel.memory_meter.peak_bytes() / 1024, rss_kib,
      PendingSignals::kMaxQueued, task.signals.own_pending(), task.process.pending.set(),
      task.signals.blocked(), ignored, caught, task.no_new_privileges ? 1 : 0);
}

void AddProcess(Directory& directory, Task& task) {
  const auto jump = [&](const std::string& name, JumpLink::Where where) {
    static_cast<void>(directory.Insert(
        name, std::make_shared<JumpLink>(directory.services(), task, std::move(where))));
  };
  const auto directory_ref = [](const std::shared_ptr<Directory>& d) {
    return PathRef{d, d->parent(), d->name()};
  };
  jump("exe", [&task] { return task.program->executable; });
  jump("cwd", [&task, directory_ref] { return directory_ref(task.fs().working_directory); });
  jump("root", [&task, directory_ref] { return directory_ref(task.fs().root); });
  static_cast<void>(
      directory.Insert("fd", std::make_shared<FdDirectory>(directory.services(), task)));
  AddFile(directory, "auxv", 0400, [&task] {
    const auto& auxv = task.program->stack.auxv;
    return std::string(reinterpret_cast<const char*>(auxv.data()), auxv.size());
  });
  AddFile(directory, "cmdline", 0444, [&task] {
    return StackText(task, task.program->stack.argv_start, task.program->stack.argv_end);
  });
  AddFile(directory, "environ", 0400, [&task] {
    return StackText(task, task.program->stack.env_start, task.program->stack.env_end);
  });
  AddFile(directory, "comm", 0644, [&task] { return task.program->command + "\n"; });
  AddFile(directory, "maps", 0444, [&task] { return Maps(task); });
  AddFile(directory, "stat", 0444, [&task] { return Stat(task); });
  AddFile(directory, "status", 0444, [&task] { return Status(task); });
  AddFile(directory, "statm", 0444, [&task] {
    const std::uint64_t resident = task.kernel.memory_meter.used_bytes() / kPageSize;
    return fmt::format("{} {} 0 0 0 {} 0\n", MappedBytes(task) / kPageSize, resident, resident);
  });
  AddFile(directory, "mounts", 0444, [] {
    return "/dev/root / ext4 rw,relatime 0 0\ndevtmpfs /dev devtmpfs rw 0 0\nproc /proc proc rw 0 "
           "0\n";
  });
  AddFile(directory, "mountinfo", 0444, [] {
    return "1 0 8:1 / / rw,relatime - ext4 /dev/root rw\n2 1 0:5 / /dev rw - devtmpfs devtmpfs rw\n"
           "3 1 0:21 / /proc rw - proc proc rw\n";
  });
}

void AddMachine(Directory& proc, Kernel& kernel) {
  AddFile(proc, "cpuinfo", 0444, CpuInfo);
  AddFile(proc, "meminfo", 0444, [&kernel] {
    const MemoryMeter& meter = kernel.memory_meter;
    const std::uint64_t free_kib = (meter.limit_bytes() - meter.used_bytes()) / 1024;
    return fmt::format(
        "MemTotal:       {:8} kB\nMemFree:        {:8} kB\nMemAvailable:   {:8} kB\n"
        "Buffers:        {:8} kB\nCached:         {:8} kB\nSwapTotal:      {:8} kB\n"
        "SwapFree:       {:8} kB\n",
        meter.limit_bytes() / 1024, free_kib, free_kib, 0, 0, 0, 0);
  });
  AddFile(proc, "uptime", 0444, [&kernel] {
    const auto hundredths = [](Nanoseconds ns) {
      return fmt::format("{}.{:02}", ns / 1'000'000'000, ns / 10'000'000 % 100);
    };
    return fmt::format("{} {}\n", hundredths(kernel.Now()),
                       hundredths(kernel.Now() - kernel.CpuTime()));
  });
  AddFile(proc, "loadavg", 0444, [] { return "0.00 0.00 0.00 1/1 2\n"; });
  AddFile(proc, "stat", 0444, [&kernel] {
    const std::uint64_t busy = kernel.CpuTime() / 10'000'000;
    const std::uint64_t idle = (kernel.Now() - kernel.CpuTime()) / 10'000'000;
    return fmt::format(
        "cpu  {0} 0 0 {1} 0 0 0 0 0 0\ncpu0 {0} 0 0 {1} 0 0 0 0 0 0\nintr 0\nctxt 0\nbtime {2}\n"
        "processes 1\nprocs_running 1\nprocs_blocked 0\n",
        busy, idle, kernel.world.Number(WorldId::kStartTime));
  });
  AddFile(proc, "version", 0444, [&kernel] {
    return fmt::format("Linux version {} {}\n", kernel.world.Text(WorldId::kKernelRelease),
                       kernel.world.Text(WorldId::kKernelVersion));
  });
  AddFile(proc, "filesystems", 0444, [] { return "nodev\tproc\nnodev\tdevtmpfs\n\text4\n"; });
  AddFile(proc, "cmdline", 0444, [] { return "\n"; });
  AddLink(proc, "mounts", "self/mounts");
}

// A universally unique identifier of 32 hexadecimal digits, with its dashes.
std::string Dashed(const std::string& digits) {
  return fmt::format("{}-{}-{}-{}-{}\n", digits.substr(0, 8), digits.substr(8, 4),
                     digits.substr(12, 4), digits.substr(16, 4), digits.substr(20, 12));
}

void AddSys(ProcDirectory& proc, Kernel& kernel) {
  const auto sys = AddDirectory(proc, "sys");
  const auto names = AddDirectory(*sys, "kernel");
  const auto world = [&](const std::string& name, WorldId id) {
    AddFile(*names, name, 0444, [&kernel, id] { return kernel.world.Text(id) + "\n"; });
  };
  world("hostname", WorldId::kHostname);
  world("domainname", WorldId::kDomainname);
  world("osrelease", WorldId::kKernelRelease);
  world("ostype", WorldId::kKernelName);
  world("version", WorldId::kKernelVersion);
  const auto constant = [](Directory& directory, const std::string& name, std::string text) {
    AddFile(directory, name, 0444, [text = std::move(text)] { return text; });
  };
  constant(*names, "pid_max", "32768\n");
  constant(*names, "ngroups_max", "65536\n");
  constant(*names, "cap_last_cap", "40\n");
  constant(*names, "randomize_va_space", "2\n");
  const auto random = AddDirectory(*names, "random");
  AddFile(*random, "boot_id", 0444, [&kernel] {
    std::string digits = kernel.world.Text(WorldId::kMachineId);
    digits.resize(32, '0');
    return Dashed(digits);
  });
  AddFile(*random, "uuid", 0444, [&kernel] {
    std::string digits = fmt::format("{:016x}{:016x}", kernel.random.Next(), kernel.random.Next());
    digits[12] = '4';  // RFC 4122, version 4, variant 1
    digits[16] = "89ab"[kernel.random.Next() % 4];
    return Dashed(digits);
  });
  const auto memory = AddDirectory(*sys, "vm");
  constant(*memory, "overcommit_memory", "1\n");
  constant(*memory, "mmap_min_addr", "65536\n");
  constant(*memory, "max_map_count", fmt::format("{}\n", kernel.spec.limits[LimitId::kMappings]));
  const auto files = AddDirectory(*sys, "fs");
  constant(*files, "file-max", fmt::format("{}\n", kernel.spec.limits[LimitId::kOpenFiles]));
  constant(*files, "nr_open", fmt::format("{}\n", kernel.spec.limits[LimitId::kOpenFiles]));
  constant(*files, "pipe-max-size", "65536\n");
}

}  // namespace

std::shared_ptr<Directory> MakeDev(Task& task) {
  const Services& services = task.kernel.services();
  auto dev = std::make_shared<TreeDirectory>(services, 0755u, kDevDevice);
  for (const DeviceRow& row : kDevices) {
    static_cast<void>(
        dev->Insert(std::string(row.name), std::make_shared<DeviceInode>(services, row)));
  }
  AddLink(*dev, "fd", "/proc/self/fd");
  AddLink(*dev, "stdin", "/proc/self/fd/0");
  AddLink(*dev, "stdout", "/proc/self/fd/1");
  AddLink(*dev, "stderr", "/proc/self/fd/2");
  return dev;
}

std::shared_ptr<Directory> MakeProc(Task& task) {
  const auto sealed = std::make_shared<bool>(false);
  auto proc = std::make_shared<ProcDirectory>(task.kernel.services(), sealed);
  const std::string pid = std::to_string(task.process.pid);
  const auto process = AddDirectory(*proc, pid);
  AddProcess(*process, task);
  AddProcess(*AddDirectory(*AddDirectory(*process, "task"), pid), task);
  AddLink(*proc, "self", pid);
  AddLink(*proc, "thread-self", pid + "/task/" + pid);
  AddMachine(*proc, task.kernel);
  AddSys(*proc, task.kernel);
  *sealed = true;
  return proc;
}

}  // namespace glovebox::engine
