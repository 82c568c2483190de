#include "engine/linux/proc_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/linux/syscalls/sending.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {
namespace {

// Pages that a mapping shows, in KiB: how much of it is in memory, and whose.
struct Residence {
  std::uint64_t size = 0, resident = 0, clean = 0, shared_dirty = 0, private_dirty = 0,
                anonymous = 0, locked = 0;

  void Add(const Residence& other) {
    size += other.size;
    resident += other.resident;
    clean += other.clean;
    shared_dirty += other.shared_dirty;
    private_dirty += other.private_dirty;
    anonymous += other.anonymous;
    locked += other.locked;
  }
};

Residence ResidenceOf(const AddressSpace& space, const Mapping& row) {
  constexpr std::uint64_t kKib = 1024;
  Residence r;
  r.size = (row.end - row.start) / kKib;
  const std::uint64_t own = space.ChargedBytes(row.start, row.end) / kKib;
  if (row.shared) {
    if (const auto place = space.SharedPlaceOf(row.start)) {
      r.shared_dirty = std::min(r.size, place->object->charged_bytes() / kKib);
    }
  }
  r.private_dirty = own;
  r.anonymous = own;
  // The files of the root are in memory: reading them costs nothing.
  if (row.inode != 0 && !row.shared) r.clean = r.size - own;
  r.resident = r.clean + r.shared_dirty + r.private_dirty;
  if ((row.traits & kLocked) != 0) r.locked = r.resident;
  return r;
}

std::string ResidenceText(const Residence& r, bool one) {
  std::string text;
  const auto line = [&text](const char* name, std::uint64_t kib) {
    text += fmt::format("{:<16}{:8} kB\n", name, kib);
  };
  if (one) {
    line("Size:", r.size);
    line("KernelPageSize:", kPageSize / 1024);
    line("MMUPageSize:", kPageSize / 1024);
  }
  line("Rss:", r.resident);
  line("Pss:", r.resident);
  line("Shared_Clean:", 0);
  line("Shared_Dirty:", r.shared_dirty);
  line("Private_Clean:", r.clean);
  line("Private_Dirty:", r.private_dirty);
  line("Referenced:", r.resident);
  line("Anonymous:", r.anonymous);
  line("LazyFree:", 0);
  line("AnonHugePages:", 0);
  line("Swap:", 0);
  line("SwapPss:", 0);
  line("Locked:", r.locked);
  return text;
}

std::string MapsLine(const Mapping& row) {
  const auto bit = [&row](std::uint8_t flag, char c) {
    return (row.protection & flag) != 0 ? c : '-';
  };
  std::string line = fmt::format(
      "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ", row.start, row.end, bit(kProtRead, 'r'),
      bit(kProtWrite, 'w'), bit(kProtExec, 'x'), row.shared ? 's' : 'p',
      row.name.empty() || row.name.starts_with('[') ? 0 : row.file_offset_bytes,
      row.device >> 8 & 0xfff, row.device & 0xff, row.inode);
  if (!row.name.empty()) line = fmt::format("{:<73}{}", line, row.name);
  return line + "\n";
}

// smaps, VmFlags: two letters each.
std::string FlagsLine(const Mapping& row) {
  struct Letters {
    bool set;
    const char* letters;
  };
  const auto allowed = [&row](std::uint8_t flag) { return (row.allowed_protection & flag) != 0; };
  const auto now = [&row](std::uint8_t flag) { return (row.protection & flag) != 0; };
  const auto trait = [&row](std::uint8_t flag) { return (row.traits & flag) != 0; };
  const Letters flags[] = {
      {now(kProtRead), "rd"},     {now(kProtWrite), "wr"},    {now(kProtExec), "ex"},
      {row.shared, "sh"},         {allowed(kProtRead), "mr"}, {allowed(kProtWrite), "mw"},
      {allowed(kProtExec), "me"}, {row.shared, "ms"},         {trait(kGrowsDown), "gd"},
      {trait(kLocked), "lo"},     {trait(kDontFork), "dc"},   {trait(kDontDump), "dd"},
      {trait(kWipeOnFork), "wf"},
  };
  std::string line = "VmFlags:";
  for (const Letters& flag : flags) {
    if (flag.set) line += fmt::format(" {}", flag.letters);
  }
  return line + "\n";
}

struct LimitRowText {
  ResourceId id;
  const char* name;
  const char* unit;
};
constexpr LimitRowText kLimitRows[] = {
    {kLimitCpu, "Max cpu time", "seconds"},
    {kLimitFileSize, "Max file size", "bytes"},
    {kLimitData, "Max data size", "bytes"},
    {kLimitStack, "Max stack size", "bytes"},
    {kLimitCore, "Max core file size", "bytes"},
    {kLimitRss, "Max resident set", "bytes"},
    {kLimitProcesses, "Max processes", "processes"},
    {kLimitOpenFiles, "Max open files", "files"},
    {kLimitLocked, "Max locked memory", "bytes"},
    {kLimitAddressSpace, "Max address space", "bytes"},
    {kLimitLocks, "Max file locks", "locks"},
    {kLimitSigPending, "Max pending signals", "signals"},
    {kLimitMessageQueue, "Max msgqueue size", "bytes"},
    {kLimitNice, "Max nice priority", ""},
    {kLimitRtPriority, "Max realtime priority", ""},
    {kLimitRtTime, "Max realtime timeout", "us"},
};

}  // namespace

std::uint64_t MappedBytesOf(const Task& task) {
  std::uint64_t total = 0;
  for (const Mapping& row : task.program->space->Mappings()) total += row.end - row.start;
  return total;
}

std::uint64_t ResidentBytesOf(const Task& task) {
  const AddressSpace& space = *task.program->space;
  std::uint64_t kib = 0;
  for (const Mapping& row : space.Mappings()) kib += ResidenceOf(space, row).resident;
  return kib * 1024;
}

std::string MapsText(Task& task) {
  std::string text;
  for (const Mapping& row : task.space().Mappings()) text += MapsLine(row);
  return text;
}

std::string SmapsText(Task& task) {
  std::string text;
  for (const Mapping& row : task.space().Mappings()) {
    text += MapsLine(row) + ResidenceText(ResidenceOf(task.space(), row), true) + FlagsLine(row);
  }
  return text;
}

std::string SmapsRollupText(Task& task) {
  const std::vector<Mapping> rows = task.space().Mappings();
  if (rows.empty()) return {};
  Residence sum;
  for (const Mapping& row : rows) sum.Add(ResidenceOf(task.space(), row));
  Mapping whole;
  whole.start = rows.front().start;
  whole.end = rows.back().end;
  whole.name = "[rollup]";
  return MapsLine(whole) + ResidenceText(sum, false);
}

std::string LimitsText(const Task& task) {
  constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
  const auto value = [](std::uint64_t limit) {
    return limit == kUnlimited ? std::string("unlimited") : std::to_string(limit);
  };
  std::string text =
      fmt::format("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
  for (const LimitRowText& row : kLimitRows) {
    const abi::Rlimit& limit = task.process.limits[row.id];
    text += fmt::format("{:<25} {:<20} {:<20} {:<10}\n", row.name, value(limit.soft),
                        value(limit.hard), row.unit);
  }
  return text;
}

namespace {

// Goes on showing the program that was there when it was opened, if that is still there.
class OpenMemory : public OpenFile {
 public:
  OpenMemory(PathRef path, int flags, Kernel& kernel, std::weak_ptr<Program> program)
      : OpenFile(std::move(path), flags), kernel_(kernel), program_(std::move(program)) {}

  IoResult Read(std::uint64_t from, std::span<std::byte> out) override {
    const auto program = program_.lock();
    if (!program || out.empty()) return 0;
    const std::size_t done = program->space->Peek(out, from);
    if (done == 0) return std::unexpected(kEIO);
    return done;
  }
  // Shared memory that may not be written stays as it is; permissions else do not matter.
  IoResult Write(std::uint64_t to, std::span<const std::byte> bytes) override {
    const auto program = program_.lock();
    if (!program || bytes.empty()) return 0;
    AddressSpace& space = *program->space;
    const Mapping* const mapping = space.Find(to);
    if (mapping == nullptr || (mapping->shared && (mapping->protection & kProtWrite) == 0))
      return std::unexpected(kEIO);
    const std::uint64_t room = mapping->end - to;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room));
    const std::size_t done = space.Poke(to, bytes.first(count));
    if (done == 0 && space.LastFault().kind == MemoryFaultKind::kMemoryLimit)
      kernel_.EndByLimit(LimitId::kMemory);
    if (done == 0) return std::unexpected(kEIO);
    return done;
  }
  bool seekable() const override { return true; }

 private:
  Kernel& kernel_;
  const std::weak_ptr<Program> program_;
};

class MemoryFile : public Inode {
 public:
  MemoryFile(std::shared_ptr<VfsServices> services, std::shared_ptr<Task> task)
      : Inode(std::move(services), kTypeRegular, 0600, kProcDevice), task_(std::move(task)) {}

  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override {
    const Task* const opener = task_->kernel.scheduler.current();
    if (opener != nullptr && !MayTrace(*opener, *task_)) return std::unexpected(kEACCES);
    return std::make_shared<OpenMemory>(path, flags, task_->kernel, task_->program);
  }

 private:
  const std::shared_ptr<Task> task_;
};

}  // namespace

std::shared_ptr<Inode> MakeMemoryFile(std::shared_ptr<VfsServices> services,
                                      std::shared_ptr<Task> task) {
  return std::make_shared<MemoryFile>(std::move(services), std::move(task));
}

}  // namespace glovebox::engine
