#include "engine/linux/proc.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "engine/linux/cpuinfo.h"
#include "engine/linux/proc_directory.h"
#include "engine/linux/proc_net.h"
#include "engine/linux/proc_setting.h"
#include "engine/linux/process_table.h"
#include "engine/vfs/device.h"

namespace glovebox::engine {
namespace {

using Services = std::shared_ptr<VfsServices>;

// A link whose target depends on who asks.
class SelfLink : public Symlink {
 public:
  SelfLink(Kernel& kernel, std::string (*target)(const Task&))
      : Symlink(kernel.services(), "", kProcDevice), kernel_(kernel), target_(target) {}
  Result<std::string, Errno> Target() const override {
    const Task* const task = kernel_.scheduler.current();
    if (task == nullptr) return std::unexpected(kENOENT);
    return target_(*task);
  }

 private:
  Kernel& kernel_;
  std::string (*const target_)(const Task&);
};

// /proc itself: what stands in it for good, then a directory for each process.
class ProcRoot : public ProcDirectory {
 public:
  ProcRoot(Kernel& kernel, std::shared_ptr<const bool> sealed)
      : ProcDirectory(kernel.services(), std::move(sealed)), kernel_(kernel) {}

  // A thread is found too, as on Linux, but not listed.
  Result<std::shared_ptr<Inode>, Errno> Find(const std::string& name) override {
    const bool is_number = !name.empty() && name.size() < 8 && name.front() != '0' &&
                           std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) return ProcDirectory::Find(name);
    std::erase_if(made_, [this](const auto& row) {
      return kernel_.processes().FindTask(static_cast<int>(row.first)) != row.second.task;
    });
    const auto task = kernel_.processes().Share(std::stoi(name));
    if (!task) return std::unexpected(kENOENT);
    Made& made = made_[task->tid];
    // Threads may have come and gone; the number of the directory stays.
    const std::uint64_t before = made.directory ? made.directory->number : 0;
    made = {task.get(), MakeProcessDirectory(services(), task)};
    if (before != 0) made.directory->number = before;
    made.directory->SetParent(SharedDirectory(), name);
    return made.directory;
  }
  Result<std::vector<DirectoryEntry>, Errno> List(std::uint64_t cookie, std::size_t max) override {
    std::vector<DirectoryEntry> out;
    if (cookie < kFirstProcess) {
      auto fixed = ProcDirectory::List(cookie, max);
      if (!fixed || fixed->size() == max) return fixed;
      out = std::move(*fixed);
      cookie = kFirstProcess;
    }
    const auto& tasks = kernel_.processes().tasks();
    auto it = tasks.lower_bound(static_cast<std::uint32_t>(cookie - kFirstProcess));
    for (; it != tasks.end() && out.size() < max; ++it) {
      if (it->second->process.pid != it->first) continue;
      out.push_back({std::to_string(it->first), kFirstProcess + it->first, kTypeDirectory,
                     kFirstProcess + it->first + 1});
    }
    return out;
  }

 private:
  // Of cookies and inode numbers, which 32-bit programs want in 32 bits.
  static constexpr std::uint64_t kFirstProcess = std::uint64_t{1} << 30;
  struct Made {
    const Task* task;
    std::shared_ptr<ProcDirectory> directory;
  };
  Kernel& kernel_;
  std::map<std::uint32_t, Made> made_;
};

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
  AddFile(proc, "loadavg", 0444, [&kernel] {
    const auto& tasks = kernel.processes().tasks();
    return fmt::format("0.00 0.00 0.00 1/{} {}\n", tasks.size(),
                       tasks.empty() ? 0 : tasks.rbegin()->first);
  });
  AddFile(proc, "swaps", 0444, [] { return "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"; });
  AddFile(proc, "devices", 0444, [] {
    return "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n";
  });
  AddFile(proc, "vmstat", 0444, [&kernel] {
    const MemoryMeter& meter = kernel.memory_meter;
    return fmt::format("nr_free_pages {}\nnr_anon_pages {}\npgfault 0\npgmajfault 0\n",
                       (meter.limit_bytes() - meter.used_bytes()) / kPageSize,
                       meter.used_bytes() / kPageSize);
  });
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
  AddFile(proc, "filesystems", 0444, [] {
    return "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tpipefs\n\text4\n";
  });
  AddFile(proc, "locks", 0444, [&kernel] { return kernel.services()->locks.Text(); });
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
  const auto name_of_system = [&](const std::string& name, WorldId id) {
    constexpr std::size_t kMostBytes = 64;
    AddSetting(
        *names, name, 0644, [&kernel, id] { return kernel.world.Text(id) + "\n"; },
        [&kernel, id](std::string_view text) {
          const std::size_t end = std::min({text.find('\n'), text.find('\0'), kMostBytes});
          kernel.world.SetText(id, std::string(text.substr(0, end)));
          return Errno{};
        });
  };
  name_of_system("hostname", WorldId::kHostname);
  name_of_system("domainname", WorldId::kDomainname);
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
  const auto pty = AddDirectory(*names, "pty");
  constant(*pty, "max", fmt::format("{}\n", tty::PtsDirectory::kMaxTerminals));
  constant(*names, "threads-max", fmt::format("{}\n", kernel.spec.limits[LimitId::kTasks]));
  constant(*names, "core_pattern", "core\n");
  constant(*names, "core_uses_pid", "0\n");
  constant(*names, "shmmax", "18446744073692774399\n");
  constant(*names, "shmall", "18446744073692774399\n");
  constant(*names, "shmmni", "4096\n");
  constant(*names, "msgmax", "8192\n");
  constant(*names, "msgmnb", "16384\n");
  constant(*names, "msgmni", "32000\n");
  constant(*names, "sem", "32000\t1024000000\t500\t32000\n");
  constant(*names, "perf_event_paranoid", "4\n");
  constant(*names, "tainted", "0\n");
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
  constant(*memory, "overcommit_ratio", "50\n");
  constant(*memory, "swappiness", "60\n");
  constant(*memory, "nr_hugepages", "0\n");
  constant(*memory, "max_map_count", fmt::format("{}\n", kernel.spec.limits[LimitId::kMappings]));
  const auto files = AddDirectory(*sys, "fs");
  constant(*files, "file-max", fmt::format("{}\n", kernel.spec.limits[LimitId::kOpenFiles]));
  constant(*files, "nr_open", fmt::format("{}\n", kernel.spec.limits[LimitId::kOpenFiles]));
  constant(*files, "pipe-max-size", "1048576\n");
  constant(*files, "file-nr", fmt::format("0\t0\t{}\n", kernel.spec.limits[LimitId::kOpenFiles]));
  const auto mqueue = AddDirectory(*files, "mqueue");
  constant(*mqueue, "msg_max", "10\n");
  constant(*mqueue, "msg_default", "10\n");
  constant(*mqueue, "msgsize_max", "8192\n");
  constant(*mqueue, "msgsize_default", "8192\n");
  constant(*mqueue, "queues_max", "256\n");
  AddNetworkSettings(*sys);
}

}  // namespace

std::shared_ptr<Directory> MakeDev(Task& task, const std::shared_ptr<tty::PtsDirectory>& pts) {
  const Services& services = task.kernel.services();
  auto dev = std::make_shared<TreeDirectory>(services, 0755u, kDevDevice);
  for (const DeviceRow& row : kDevices) {
    static_cast<void>(
        dev->Insert(std::string(row.name), std::make_shared<DeviceInode>(services, row)));
  }
  static_cast<void>(dev->Insert("pts", pts));
  static_cast<void>(dev->Insert("ptmx", tty::MakePtmx(pts, task.kernel)));
  static_cast<void>(dev->Insert("tty", tty::MakeDevTty(task.kernel)));
  // Of its own file system, as tmpfs is: POSIX shared memory and semaphores, shm_overview(7).
  const auto shm = std::make_shared<TreeDirectory>(services, 01777u, kShmDevice);
  shm->is_mount_point = true;
  static_cast<void>(dev->Insert("shm", shm));
  AddLink(*dev, "fd", "/proc/self/fd");
  AddLink(*dev, "stdin", "/proc/self/fd/0");
  AddLink(*dev, "stdout", "/proc/self/fd/1");
  AddLink(*dev, "stderr", "/proc/self/fd/2");
  return dev;
}

std::shared_ptr<Directory> MakeProc(Kernel& kernel) {
  const auto sealed = std::make_shared<bool>(false);
  auto proc = std::make_shared<ProcRoot>(kernel, sealed);
  const auto self = [&](const std::string& name, std::string (*target)(const Task&)) {
    static_cast<void>(proc->Insert(name, std::make_shared<SelfLink>(kernel, target)));
  };
  self("self", [](const Task& task) { return std::to_string(task.process.pid); });
  self("thread-self", [](const Task& task) {
    return std::to_string(task.process.pid) + "/task/" + std::to_string(task.tid);
  });
  AddMachine(*proc, kernel);
  AddSys(*proc, kernel);
  AddNetwork(*proc, kernel);
  *sealed = true;
  return proc;
}

}  // namespace glovebox::engine
