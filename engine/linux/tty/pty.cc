#include "engine/linux/tty/pty.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/linux/task.h"
#include "engine/linux/tty/job_control.h"
#include "engine/vfs/device.h"

namespace glovebox::engine::tty {
namespace {

constexpr std::uint32_t kAuxiliaryMajor = 5;  // /dev/tty is 5:0, /dev/ptmx 5:2
constexpr std::uint32_t kSlaveMajor = 136;
// The group `tty`, as Debian mounts devpts.
constexpr std::uint32_t kTtyGroup = 5;
constexpr std::uint32_t kNodePermissions = 0620;
constexpr std::uint64_t kFirstInode = 3;  // fs/devpts/inode.c

// The programs' end.
class OpenSlave : public OpenTerminal {
 public:
  OpenSlave(PathRef path, int flags, const std::shared_ptr<Terminal>& terminal)
      : OpenTerminal(std::move(path), flags, terminal, false), hangups_(terminal->hangups()) {
    terminal->AddProgram();
  }
  ~OpenSlave() override { terminal()->RemoveProgram(); }

  bool hung_up() const override { return terminal()->hangups() != hangups_; }

  IoResult Await(std::size_t wanted) override {
    Task& task = *terminal()->kernel().scheduler.current();
    CallInFlight& call = *task.call;
    if (hung_up()) {
      // Who was waiting hears of it; who comes later finds the end of the file.
      if (call.began < terminal()->hung_up_at()) return std::unexpected(kEIO);
      return 0;
    }
    if (const auto may = MayUse(task, *terminal(), kSIGTTIN); !may)
      return std::unexpected(may.error());
    wanted_ = wanted;
    if (wanted == 0) return 0;
    const LineDiscipline& lines = terminal()->lines();
    const auto found = lines.Look(wanted, lines.Minimum());
    if (found.ready) return found.bytes;
    IoFailure not_yet(Wait::kEvent, EventChannel());
    if (!lines.canonical()) {
      // What came already is not held back from a signal or from who does not wait.
      if (found.bytes > 0 && (nonblocking() || task.signals.HasDeliverable())) return found.bytes;
      not_yet.deadline = Deadline(call, found.bytes > 0);
      if (terminal()->kernel().Now() >= not_yet.deadline) return found.bytes;
    }
    return std::unexpected(not_yet);
  }
  IoResult Read(std::uint64_t, std::span<std::byte> out) override {
    return hung_up() ? 0 : terminal()->lines().Peek(out);
  }
  void Consume(std::size_t bytes) override {
    if (wanted_ != 0 && !hung_up()) terminal()->Consume(bytes);
  }
  IoResult Write(std::uint64_t, std::span<const std::byte> bytes) override {
    if (hung_up() || terminal()->other_end_closed()) return std::unexpected(kEIO);
    if ((terminal()->termios().modes.local & kTostop) != 0) {
      Task& task = *terminal()->kernel().scheduler.current();
      if (const auto may = MayUse(task, *terminal(), kSIGTTOU); !may)
        return std::unexpected(may.error());
    }
    const std::size_t taken = terminal()->Write(bytes);
    if (taken == 0 && !bytes.empty())
      return std::unexpected(IoFailure(Wait::kEvent, EventChannel()));
    return taken;
  }
  Result<std::uint16_t, IoFailure> Poll() override {
    if (hung_up()) return static_cast<std::uint16_t>(kPollIn | kPollOut | kPollErr | kPollHup);
    const LineDiscipline& lines = terminal()->lines();
    std::uint16_t events = 0;
    const std::size_t minimum = lines.TimeTenths() == 0 ? lines.Minimum() : 1;
    if (lines.Look(~std::size_t{0}, minimum).ready) events |= kPollIn;
    if (terminal()->WriteRoom() > 0) events |= kPollOut;
    return events;
  }
  Result<std::uint64_t, IoFailure> Available() override {
    if (hung_up()) return std::unexpected(kEIO);
    return terminal()->lines().Available();
  }

 private:
  // VMIN and VTIME, termios(3): of the whole read, or between two bytes.
  Nanoseconds Deadline(CallInFlight& call, bool has_some) {
    constexpr Nanoseconds kTenth = 100'000'000;
    const LineDiscipline& lines = terminal()->lines();
    const Nanoseconds time = lines.TimeTenths() * kTenth;
    if (lines.Minimum() == 0) {
      if (!call.deadline) call.deadline = time == 0 ? 0 : terminal()->kernel().Now() + time;
      return *call.deadline;
    }
    if (time == 0 || !has_some) return kNever;
    return std::max(call.began, terminal()->last_typed()) + time;
  }

  const std::uint64_t hangups_;
  std::size_t wanted_ = 0;  // by the read that is under way
};

class SlaveInode : public Inode {
 public:
  SlaveInode(const std::shared_ptr<VfsServices>& services, std::shared_ptr<Terminal> terminal)
      : Inode(services, kTypeCharDevice, kNodePermissions, kDevPtsDevice),
        terminal_(std::move(terminal)) {
    special_device = DeviceOf(*terminal_);
    number = kFirstInode + terminal_->number();
    gid = kTtyGroup;
  }
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override {
    Terminal& terminal = *terminal_;
    if (terminal.locked || terminal.other_end_closed()) return std::unexpected(kEIO);
    const Task* const task = terminal.kernel().scheduler.current();
    if (terminal.exclusive && task != nullptr && !task->credentials.Can(Capability::kSysAdmin))
      return std::unexpected(kEBUSY);
    return std::make_shared<OpenSlave>(path, flags, terminal_);
  }
  const std::shared_ptr<Terminal>& terminal() const { return terminal_; }

 private:
  const std::shared_ptr<Terminal> terminal_;
};

// The other end: a terminal emulator's.
class OpenMaster : public OpenTerminal {
 public:
  OpenMaster(PathRef path, int flags, const std::shared_ptr<Terminal>& terminal,
             std::shared_ptr<PtsDirectory> pts)
      : OpenTerminal(std::move(path), flags, terminal, true), pts_(std::move(pts)) {}
  ~OpenMaster() override {
    pts_->Remove(terminal()->number());
    terminal()->CloseOtherEnd();
  }

  IoResult Await(std::size_t wanted) override {
    if (wanted == 0) return 0;
    const Terminal& shown = *terminal();
    if (tells_status()) return 1;
    if (shown.shown_bytes() > 0)
      return std::min(wanted, shown.shown_bytes() + (shown.packet_mode ? 1 : 0));
    if (shown.programs_left()) return std::unexpected(kEIO);
    return std::unexpected(IoFailure(Wait::kEvent, EventChannel()));
  }
  IoResult Read(std::uint64_t, std::span<std::byte> out) override {
    if (!terminal()->packet_mode || out.empty()) return terminal()->PeekShown(out);
    // TIOCPKT_DATA, or what has changed.
    out[0] = static_cast<std::byte>(terminal()->packet_status);
    return tells_status() ? 1 : 1 + terminal()->PeekShown(out.subspan(1));
  }
  void Consume(std::size_t bytes) override {
    if (bytes == 0) return;
    if (tells_status()) {
      terminal()->packet_status = 0;
    } else {
      terminal()->DropShown(bytes - (terminal()->packet_mode ? 1 : 0));
    }
  }
  IoResult Write(std::uint64_t, std::span<const std::byte> bytes) override {
    const std::size_t taken = terminal()->Type(bytes);
    if (taken == 0 && !bytes.empty())
      return std::unexpected(IoFailure(Wait::kEvent, EventChannel()));
    return taken;
  }
  Result<std::uint16_t, IoFailure> Poll() override {
    std::uint16_t events = 0;
    if (terminal()->shown_bytes() > 0) events |= kPollIn;
    if (tells_status()) events |= kPollIn | kPollPriority;
    if (terminal()->TypeRoom() > 0) events |= kPollOut;
    if (terminal()->programs_left()) events |= kPollHup;
    return events;
  }
  Result<std::uint64_t, IoFailure> Available() override { return terminal()->shown_bytes(); }
  const std::shared_ptr<PtsDirectory>& pts() const { return pts_; }

 private:
  bool tells_status() const { return terminal()->packet_mode && terminal()->packet_status != 0; }

  const std::shared_ptr<PtsDirectory> pts_;
};

class PtmxInode : public Inode {
 public:
  PtmxInode(std::shared_ptr<PtsDirectory> pts, Kernel& kernel)
      : Inode(kernel.services(), kTypeCharDevice, 0666, kDevDevice),
        pts_(std::move(pts)),
        kernel_(kernel) {
    special_device = EncodeDevice(kAuxiliaryMajor, 2);
  }
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override {
    const Task* const task = kernel_.scheduler.current();
    auto terminal = pts_->Add(false, task != nullptr ? task->credentials.fsuid : 0);
    if (!terminal) return std::unexpected(terminal.error());
    return std::make_shared<OpenMaster>(path, flags, *terminal, pts_);
  }

 private:
  const std::shared_ptr<PtsDirectory> pts_;
  Kernel& kernel_;
};

class DevTtyInode : public Inode {
 public:
  explicit DevTtyInode(Kernel& kernel)
      : Inode(kernel.services(), kTypeCharDevice, 0666, kDevDevice), kernel_(kernel) {
    special_device = EncodeDevice(kAuxiliaryMajor, 0);
  }
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override {
    const Task* const task = kernel_.scheduler.current();
    if (task == nullptr || !task->process.terminal) return std::unexpected(kENXIO);
    return std::make_shared<OpenSlave>(path, flags, task->process.terminal);
  }

 private:
  Kernel& kernel_;
};

}  // namespace

PtsDirectory::PtsDirectory(Kernel& kernel)
    : Directory(kernel.services(), 0755, kDevPtsDevice), kernel_(kernel) {
  is_mount_point = true;
}

Result<std::shared_ptr<Terminal>, Errno> PtsDirectory::Add(bool outside, std::uint32_t owner) {
  std::uint32_t terminal_number = 0;
  while (nodes_.contains(terminal_number)) ++terminal_number;
  if (terminal_number >= kMaxTerminals) return std::unexpected(kENOSPC);
  auto terminal = std::make_shared<Terminal>(kernel_, terminal_number, outside);
  if (!terminal->ChargeDisk()) return std::unexpected(kENOSPC);
  auto node = std::make_shared<SlaveInode>(services(), terminal);
  node->uid = owner;
  nodes_.emplace(terminal_number, std::move(node));
  return terminal;
}

void PtsDirectory::Remove(std::uint32_t terminal_number) { nodes_.erase(terminal_number); }

Result<std::shared_ptr<OpenFile>, IoFailure> PtsDirectory::OpenNode(const Terminal& terminal,
                                                                    int flags) {
  const auto found = nodes_.find(terminal.number());
  if (found == nodes_.end()) return std::unexpected(kEIO);
  const PathRef ref{found->second, SharedDirectory(), std::to_string(terminal.number())};
  return found->second->Open(ref, flags);
}

Result<std::shared_ptr<Inode>, Errno> PtsDirectory::Find(const std::string& name) {
  std::uint32_t terminal_number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), terminal_number);
  if (parsed.ec != std::errc() || std::to_string(terminal_number) != name)
    return std::unexpected(kENOENT);
  const auto found = nodes_.find(terminal_number);
  if (found == nodes_.end()) return std::unexpected(kENOENT);
  return found->second;
}

Result<std::vector<DirectoryEntry>, Errno> PtsDirectory::List(std::uint64_t cookie,
                                                              std::size_t max) {
  std::vector<DirectoryEntry> out;
  const auto first = static_cast<std::uint32_t>(cookie - kFirstCookie);
  for (auto it = nodes_.lower_bound(first); it != nodes_.end() && out.size() < max; ++it) {
    out.push_back({std::to_string(it->first), it->second->number, kTypeCharDevice,
                   kFirstCookie + it->first + 1});
  }
  return out;
}

std::shared_ptr<Inode> MakePtmx(const std::shared_ptr<PtsDirectory>& pts, Kernel& kernel) {
  return std::make_shared<PtmxInode>(pts, kernel);
}

std::shared_ptr<Inode> MakeDevTty(Kernel& kernel) { return std::make_shared<DevTtyInode>(kernel); }

Result<std::shared_ptr<OpenFile>, IoFailure> OpenPeerOf(OpenTerminal& end, int flags) {
  return static_cast<OpenMaster&>(end).pts()->OpenNode(*end.terminal(), flags);
}

std::uint64_t DeviceOf(const Terminal& terminal) {
  return EncodeDevice(kSlaveMajor, terminal.number());
}

}  // namespace glovebox::engine::tty
