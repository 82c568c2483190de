// /proc/PID: what proc(5) tells of one process or thread.
#include <fmt/format.h>

#include <functional>
#include <utility>

#include "engine/linux/proc_directory.h"
#include "engine/linux/proc_memory.h"
#include "engine/linux/proc_mounts.h"
#include "engine/linux/proc_setting.h"
#include "engine/linux/process_table.h"
#include "engine/linux/seccomp.h"
#include "engine/linux/syscalls/seccomp.h"
#include "engine/linux/tty/pty.h"
#include "engine/vfs/resolve.h"

namespace glovebox::engine {
namespace {

using Services = std::shared_ptr<VfsServices>;

constexpr std::uint64_t kNanosecondsPerTick = 10'000'000;

// A link of /proc that leads to a node, whatever its name is by now.
class JumpLink : public Symlink {
 public:
  using Where = std::function<PathRef()>;
  JumpLink(Services services, const std::shared_ptr<Task>& task, Where where)
      : Symlink(std::move(services), "", kProcDevice), task_(task), where_(std::move(where)) {}

  Result<std::string, Errno> Target() const override {
    const PathRef ref = where_();
    if (!ref.inode) return std::unexpected(kENOENT);
    if (std::string text = ref.inode->NamelessText(); !text.empty()) return text;
    return DisplayPath(task_->kernel.files().root(), ref);
  }
  Result<std::optional<PathRef>, Errno> Jump() const override {
    PathRef ref = where_();
    if (!ref.inode) return std::unexpected(kENOENT);
    return ref;
  }

 private:
  const std::shared_ptr<Task> task_;
  Where where_;
};

// proc(5), /proc/PID/fdinfo/FD.
std::string FdInfo(const OpenFile& file) {
  return fmt::format("pos:\t{}\nflags:\t0{:o}\nmnt_id:\t1\nino:\t{}\n{}", file.offset, file.flags(),
                     file.inode().number, file.FdInfo());
}

// /proc/PID/fd and fdinfo: one entry for each open descriptor.
class FdDirectory : public Directory {
 public:
  enum class Kind : std::uint8_t { kLinks, kTexts };
  FdDirectory(Services services, const std::shared_ptr<Task>& task, Kind kind)
      : Directory(std::move(services), kind == Kind::kLinks ? 0500u : 0555u, kProcDevice),
        task_(task),
        kind_(kind) {}

  Result<std::shared_ptr<Inode>, Errno> Find(const std::string& name) override {
    for (int fd = 0; task_->fd_table && fd < task_->fds().size(); ++fd) {
      if (task_->fds().IsOpen(fd) && name == std::to_string(fd)) return Make(fd);
    }
    return std::unexpected(kENOENT);
  }
  Result<std::vector<DirectoryEntry>, Errno> List(std::uint64_t cookie, std::size_t max) override {
    std::vector<DirectoryEntry> out;
    for (int fd = static_cast<int>(cookie - kFirstCookie);
         task_->fd_table && fd < task_->fds().size() && out.size() < max; ++fd) {
      if (!task_->fds().IsOpen(fd)) continue;
      const auto next = static_cast<std::uint64_t>(fd) + 1 + kFirstCookie;
      const FileType type = kind_ == Kind::kLinks ? kTypeSymlink : kTypeRegular;
      out.push_back({std::to_string(fd), NumberOf(fd), type, next});
    }
    return out;
  }

 private:
  // Made up at each look, so the number follows from the descriptor instead of being drawn. It fits
  // into the 32 bits that old programs have for it.
  std::uint64_t NumberOf(int fd) const {
    constexpr std::uint64_t kTop = std::uint64_t{1} << 31;
    return kTop | (((number << 10) + static_cast<std::uint64_t>(fd)) & (kTop - 1));
  }
  std::shared_ptr<Inode> Make(int fd) {
    const auto file_of = [task = task_, fd] {
      return task->fd_table ? task->fds().Get(fd) : nullptr;
    };
    std::shared_ptr<Inode> node;
    if (kind_ == Kind::kLinks) {
      node = std::make_shared<JumpLink>(services(), task_, [file_of]() -> PathRef {
        const auto file = file_of();
        return file ? file->path() : PathRef{};
      });
    } else {
      node = std::make_shared<GeneratedFile>(services(), 0444u, kProcDevice, [file_of] {
        const auto file = file_of();
        return file ? FdInfo(*file) : std::string();
      });
    }
    --services()->next_inode;
    node->number = NumberOf(fd);
    return node;
  }

  const std::shared_ptr<Task> task_;
  const Kind kind_;
};

// A range of the program's first stack: its arguments or its environment.
std::string StackText(Task& task, GuestAddr start, GuestAddr end) {
  std::string text(static_cast<std::size_t>(end - start), '\0');
  text.resize(task.space().Peek(std::as_writable_bytes(std::span(text)), start));
  return text;
}

// State as proc(5), /proc/PID/stat has it.
struct StateName {
  char letter;
  const char* name;
};
StateName StateOf(const Task& task) {
  if (task.process.pid == kInitPid) return {'S', "sleeping"};
  if (task.scheduling.state == Scheduling::State::kEnded) return {'Z', "zombie"};
  if (ptrace::InStop(task)) return {'t', "tracing stop"};
  if (task.scheduling.stopped) return {'T', "stopped"};
  if (task.scheduling.state == Scheduling::State::kWaiting) return {'S', "sleeping"};
  return {'R', "running"};
}

std::uint32_t ParentOf(const Task& task) {
  return task.process.parent != nullptr ? task.process.parent->pid : 0;
}

std::string Stat(Task& task) {
  // Of a zombie only what its parent may ask for.
  static const LoadedImage no_image;
  static const BuiltStack no_stack;
  const Process& process = task.process;
  const LoadedImage& image = task.program ? task.program->image : no_image;
  const BuiltStack& stack = task.program ? task.program->stack : no_stack;
  const std::uint64_t mapped = task.program ? MappedBytesOf(task) : 0;
  const std::uint64_t rss = task.program ? ResidentBytesOf(task) / kPageSize : 0;
  return fmt::format(
      "{} ({}) {} {} {} {} {} {} 4194304 0 0 0 0 {} {} {} {} 20 0 {} 0 0 {} {} {} {} {} {} 0 0 0 0 "
      "0 "
      "0 0 0 0 17 0 0 0 0 0 0 {} {} {} {} {} {} {} 0\n",
      task.tid, task.command, StateOf(task).letter, ParentOf(task), process.group, process.session,
      process.terminal ? tty::DeviceOf(*process.terminal) : 0,
      process.terminal ? static_cast<std::int64_t>(process.terminal->foreground) : -1,
      (process.cpu_ns - process.system_ns) / kNanosecondsPerTick,
      process.system_ns / kNanosecondsPerTick,
      (process.children_cpu_ns - process.children_system_ns) / kNanosecondsPerTick,
      process.children_system_ns / kNanosecondsPerTick, process.threads.size(), mapped, rss,
      ~std::uint64_t{0}, image.code_start, image.code_end, stack.stack_pointer, image.data_start,
      image.data_end, task.program ? task.program->brk_start : 0, stack.argv_start, stack.argv_end,
      stack.env_start, stack.env_end);
}

std::string Status(Task& task) {
  const Credentials& who = task.credentials;
  const Capabilities& has = who.capabilities;
  std::string groups;
  for (const std::uint32_t group : who.groups) groups += fmt::format("{} ", group);
  SignalSet ignored = 0;
  SignalSet caught = 0;
  for (int signal = 1; signal <= kSignalCount; ++signal) {
    const std::uint64_t handler = task.signals.action(signal).handler;
    if (handler == kHandlerIgnore) ignored |= SetOf(signal);
    if (handler > kHandlerIgnore) caught |= SetOf(signal);
  }
  const std::uint64_t mapped_kib = task.program ? MappedBytesOf(task) / 1024 : 0;
  const std::uint64_t rss_kib = task.program ? ResidentBytesOf(task) / 1024 : 0;
  const std::uint64_t locked_kib = task.program ? task.space().LockedBytes() / 1024 : 0;
  return fmt::format(
      "Name:\t{}\nUmask:\t{:04o}\nState:\t{} "
      "({})\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t{}\n"
      "Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t64\nGroups:\t{}\nVmPeak:\t{:8} "
      "kB\nVmSize:\t{:8} kB\nVmLck:\t{:8} kB\n"
      "VmHWM:\t{:8} kB\nVmRSS:\t{:8} "
      "kB\nVmSwap:\t       0 kB\nThreads:\t{}\nSigQ:\t0/{}\nSigPnd:\t{:016x}\nShdPnd:\t{:016x}\n"
      "SigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\nCapInh:\t{:016x}\nCapPrm:\t{:016x}"
      "\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t{}\nSeccomp:\t{}"
      "\nSeccomp_filters:\t{}\nCpus_"
      "allowed:\t1\n"
      "Cpus_allowed_list:\t0\n",
      task.command, task.fs_context ? task.fs().umask : 0, StateOf(task).letter, StateOf(task).name,
      task.process.pid, task.tid, ParentOf(task),
      ptrace::IsTraced(task) ? task.tracing->tracer->tid : 0, who.uid, who.euid, who.suid,
      who.fsuid, who.gid, who.egid, who.sgid, who.fsgid, groups, mapped_kib, mapped_kib, locked_kib,
      rss_kib, rss_kib, task.process.threads.size(), PendingSignals::kMaxQueued,
      task.signals.own_pending(), task.process.pending.set(), task.signals.blocked(), ignored,
      caught, has.inheritable, has.permitted, has.effective, has.bounding, has.ambient,
      task.no_new_privileges ? 1 : 0, SeccompModeOf(task),
      SeccompModeOf(task) == 2 ? task.seccomp->count : 0);
}

// What can be written: the name, and how much a process is worth to Linux' out-of-memory killer,
// which the box has not: its memory limit ends all of it.
void AddSettings(Directory& directory, const std::shared_ptr<Task>& task) {
  constexpr std::size_t kCommandBytes = 15;
  AddSetting(
      directory, "comm", 0644, [task] { return task->command + "\n"; },
      [task](std::string_view text) {
        task->command = text.substr(0, kCommandBytes);
        return Errno{};
      });
  AddSetting(
      directory, "oom_score_adj", 0644,
      [task] { return fmt::format("{}\n", task->process.oom_score_adjustment); },
      [task](std::string_view text) {
        constexpr std::int64_t kMost = 1000;
        const auto value = ParseSetting(text);
        if (!value || *value < -kMost || *value > kMost) return kEINVAL;
        task->process.oom_score_adjustment = static_cast<int>(*value);
        return Errno{};
      });
  AddSetting(
      directory, "oom_adj", 0644,
      [task] { return fmt::format("{}\n", task->process.oom_score_adjustment * 17 / 1000); },
      [task](std::string_view text) {
        const auto value = ParseSetting(text);
        if (!value || *value < -17 || *value > 15) return kEINVAL;
        task->process.oom_score_adjustment = static_cast<int>(*value * 1000 / 17);
        return Errno{};
      });
  AddSetting(
      directory, "coredump_filter", 0644, [] { return "00000033\n"; },
      [](std::string_view) { return Errno{}; });
}

void AddProcess(Directory& directory, const std::shared_ptr<Task>& task) {
  const auto jump = [&](const std::string& name, JumpLink::Where where) {
    static_cast<void>(directory.Insert(
        name, std::make_shared<JumpLink>(directory.services(), task, std::move(where))));
  };
  const auto directory_ref = [](const std::shared_ptr<Directory>& d) {
    return PathRef{d, d->parent(), d->name()};
  };
  // Every process of a box has the same one.
  AddLink(directory, "net", "/proc/net");
  jump("exe", [task] { return task->program ? task->program->executable : PathRef{}; });
  jump("cwd", [task, directory_ref] {
    return task->fs_context ? directory_ref(task->fs().working_directory) : PathRef{};
  });
  jump("root", [task, directory_ref] {
    return task->fs_context ? directory_ref(task->fs().root) : PathRef{};
  });
  using Kind = FdDirectory::Kind;
  for (const auto& [name, kind] :
       {std::pair("fd", Kind::kLinks), std::pair("fdinfo", Kind::kTexts)}) {
    static_cast<void>(
        directory.Insert(name, std::make_shared<FdDirectory>(directory.services(), task, kind)));
  }
  // A zombie has no memory any more: such files are empty.
  const auto of_memory = [&](const std::string& name, std::uint32_t mode,
                             std::string (*text)(Task&)) {
    AddFile(directory, name, mode,
            [task, text] { return task->program ? text(*task) : std::string(); });
  };
  of_memory("auxv", 0400, [](Task& of) {
    const auto& auxv = of.program->stack.auxv;
    return std::string(reinterpret_cast<const char*>(auxv.data()), auxv.size());
  });
  of_memory("cmdline", 0444, [](Task& of) {
    return StackText(of, of.program->stack.argv_start, of.program->stack.argv_end);
  });
  of_memory("environ", 0400, [](Task& of) {
    return StackText(of, of.program->stack.env_start, of.program->stack.env_end);
  });
  of_memory("maps", 0444, &MapsText);
  of_memory("smaps", 0444, &SmapsText);
  of_memory("smaps_rollup", 0444, &SmapsRollupText);
  of_memory("statm", 0444, [](Task& of) {
    const std::uint64_t resident = ResidentBytesOf(of) / kPageSize;
    return fmt::format("{} {} 0 0 0 {} 0\n", MappedBytesOf(of) / kPageSize, resident, resident);
  });
  static_cast<void>(directory.Insert("mem", MakeMemoryFile(directory.services(), task)));
  AddSettings(directory, task);
  AddFile(directory, "limits", 0444, [task] { return LimitsText(*task); });
  AddFile(directory, "io", 0400, [] {
    return "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
           "cancelled_write_bytes: 0\n";
  });
  AddFile(directory, "cgroup", 0444, [] { return "0::/\n"; });
  AddFile(directory, "oom_score", 0444, [] { return "0\n"; });
  AddFile(directory, "wchan", 0444, [] { return "0"; });
  AddFile(directory, "loginuid", 0444, [] { return "4294967295"; });
  AddFile(directory, "sessionid", 0444, [] { return "4294967295"; });
  AddFile(directory, "personality", 0400,
          [task] { return fmt::format("{:08x}\n", task->personality); });
  AddFile(directory, "schedstat", 0444, [task] { return fmt::format("{} 0 1\n", task->cpu_ns); });
  AddFile(directory, "stat", 0444, [task] { return Stat(*task); });
  AddFile(directory, "status", 0444, [task] { return Status(*task); });
  AddFile(directory, "mounts", 0444, [task] { return MountsText(task->kernel); });
  AddFile(directory, "mountinfo", 0444, [task] { return MountInfoText(task->kernel); });
}

}  // namespace

std::shared_ptr<ProcessDirectory> MakeProcessDirectory(const std::shared_ptr<VfsServices>& services,
                                                       const std::shared_ptr<Task>& task) {
  auto sealed = std::make_shared<bool>(false);
  auto directory = std::make_shared<ProcessDirectory>(services, sealed, task->shared_process());
  AddProcess(*directory, task);
  const auto threads = AddDirectory(*directory, "task");
  for (Task* const thread : task->process.threads) {
    AddProcess(*AddDirectory(*threads, std::to_string(thread->tid)),
               task->kernel.processes().Share(static_cast<int>(thread->tid)));
  }
  *sealed = true;
  return directory;
}

}  // namespace glovebox::engine
