// Files as a debugger sees them: those of the guest, as far as it has looked into its directories.
// To read the listing of another would give its nodes numbers in another order, so of those there
// is a shadow, of which the guest knows nothing; it can have changed nothing in there.
#include "engine/linux/debugger_files.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "engine/linux/proc.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/task.h"
#include "engine/vfs/filesystem.h"
#include "engine/vfs/resolve.h"

namespace glovebox::engine {
namespace {

const Credentials& Root() {
  static const Credentials kRoot = Credentials::Of(0, 0);
  return kRoot;
}

// Nodes of /proc are made with the guest's own services: what they take of those is given back.
class KeptNumbers {
 public:
  explicit KeptNumbers(Kernel& kernel)
      : services_(*kernel.services()), next_(services_.next_inode) {}
  ~KeptNumbers() { services_.next_inode = next_; }
  KeptNumbers(const KeptNumbers&) = delete;
  KeptNumbers& operator=(const KeptNumbers&) = delete;

 private:
  VfsServices& services_;
  const std::uint64_t next_;
};

class Node final : public DebugFile {
 public:
  Node(Kernel& kernel, std::shared_ptr<Inode> inode, std::shared_ptr<OpenFile> open,
       DebuggerFiles::Tell tell = {})
      : kernel_(kernel), inode_(std::move(inode)), open_(std::move(open)), tell_(std::move(tell)) {}

  Result<std::size_t, Errno> Read(std::uint64_t offset, std::span<std::byte> out) override {
    const KeptNumbers kept(kernel_);
    if (auto* const regular = dynamic_cast<RegularFile*>(inode_.get()))
      return regular->content.Read(offset, out);
    if (!open_) return std::unexpected(inode_->is(kTypeDirectory) ? kEISDIR : kEINVAL);
    const auto got = open_->Read(offset, out);
    if (!got) return std::unexpected(got.error().error);
    return *got;
  }
  Result<abi::x86_64::Stat, Errno> Status() override {
    const KeptNumbers kept(kernel_);
    return StatOf(*inode_);
  }
  Result<std::string, Errno> Target() override {
    const KeptNumbers kept(kernel_);
    const auto* const link = dynamic_cast<const Symlink*>(inode_.get());
    if (link == nullptr) return std::unexpected(kEINVAL);
    return link->Target();
  }
  Result<std::size_t, Errno> Write(std::uint64_t offset,
                                   std::span<const std::byte> bytes) override {
    constexpr std::uint64_t kMostBytes = INT64_MAX;
    if (!tell_) return std::unexpected(kEBADF);
    if (bytes.empty()) return 0;
    if (offset > kMostBytes - bytes.size()) return std::unexpected(kEFBIG);
    tell_(offset, bytes);
    const auto written = open_->Write(offset, bytes);
    if (!written) return std::unexpected(written.error().error);
    return *written;
  }

 private:
  Kernel& kernel_;
  const std::shared_ptr<Inode> inode_;
  const std::shared_ptr<OpenFile> open_;  // to write, or of what is made up when it is opened
  const DebuggerFiles::Tell tell_;        // empty: not open for writing
};

}  // namespace

struct DebuggerFiles::Shadow {
  Shadow(Kernel& the_kernel, TreeSource& tree)
      : kernel(the_kernel),
        services(std::make_shared<VfsServices>(
            VfsServices{BlobCache(tree), DiskMeter(0), [this] { return kernel.WallNanoseconds(); },
                        [](std::span<std::byte>) {}, [](const void*) {}})),
        proc(MakeProc(kernel)) {}
  ~Shadow() { services->hard_links.clear(); }  // they hold the services
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  // What stands for a directory of the guest's in which it has not looked.
  std::shared_ptr<Inode> Of(const TreeDirectory& unread) {
    // One of the names of a file may have been seen by now, and the file changed.
    const auto& links = kernel.services()->hard_links;
    if (links.size() != links_seen) {
      directories.clear();
      services->hard_links = links;
      links_seen = links.size();
    }
    auto& shadow = directories[unread.number];
    if (!shadow) {
      shadow = std::make_shared<TreeDirectory>(services, unread.permissions, *unread.unread());
      shadow->number = unread.number;
      shadow->device = unread.device;
      shadow->uid = unread.uid;
      shadow->gid = unread.gid;
      shadow->atime_ns = unread.atime_ns;
      shadow->mtime_ns = unread.mtime_ns;
      shadow->ctime_ns = unread.ctime_ns;
    }
    return shadow;
  }
  // What may be looked at in the place of a node that a path has led to.
  std::shared_ptr<Inode> InPlaceOf(std::shared_ptr<Inode> inode) {
    while (inode->mounted) inode = inode->mounted;
    const auto* const tree = dynamic_cast<const TreeDirectory*>(inode.get());
    if (tree != nullptr && tree->services() != services && tree->unread()) return Of(*tree);
    return inode;
  }
  Result<std::shared_ptr<Inode>, Errno> Find(Directory& directory, const std::string& name) {
    auto* const tree = dynamic_cast<TreeDirectory*>(&directory);
    // To look into the guest's own /proc makes directories that it keeps.
    if (&directory == kernel.files().root().get() && name == "proc") return proc;
    const bool is_own = tree != nullptr && tree->services() == services;
    if (tree == nullptr || is_own || tree->device == kProcDevice) return directory.Find(name);
    auto found = tree->Peek(name);
    if (!found) return std::unexpected(kENOENT);
    return InPlaceOf(std::move(found));
  }
  Result<PathRef, Errno> Walk(const std::shared_ptr<Directory>& root, const std::string& path,
                              bool follow_last);

  Kernel& kernel;
  std::shared_ptr<VfsServices> services;
  std::shared_ptr<Directory> proc;
  std::map<std::uint64_t, std::shared_ptr<TreeDirectory>> directories;  // by number
  std::size_t links_seen = 0;
};

// As resolve.cc, with the rights of root, and without a trace: times of links stay as they are.
Result<PathRef, Errno> DebuggerFiles::Shadow::Walk(const std::shared_ptr<Directory>& root,
                                                   const std::string& path, bool follow_last) {
  if (path.empty()) return std::unexpected(kENOENT);
  if (path.size() >= kPathMaxBytes) return std::unexpected(kENAMETOOLONG);
  std::vector<PathRef> way{{InPlaceOf(root), nullptr, {}}};
  std::string rest = path;
  int links = 0;
  for (std::size_t next = 0;;) {
    next = std::min(rest.find_first_not_of('/', next), rest.size());
    if (next == rest.size()) return way.back();
    const std::size_t end = std::min(rest.find('/', next), rest.size());
    const std::string name = rest.substr(next, end - next);
    const bool is_last = rest.find_first_not_of('/', end) == std::string::npos;
    next = end;
    if (name.size() > kNameMaxBytes) return std::unexpected(kENAMETOOLONG);
    if (name == "." || name == "..") {
      if (name == ".." && way.size() > 1) way.pop_back();
      continue;
    }
    const auto at = std::static_pointer_cast<Directory>(way.back().inode);
    const auto found = Find(*at, name);
    if (!found) return std::unexpected(found.error());
    PathRef ref{*found, at, name};
    if (ref.inode->is(kTypeSymlink) && (!is_last || follow_last || end < rest.size())) {
      const auto& link = static_cast<const Symlink&>(*ref.inode);
      if (++links > kMaxSymlinks) return std::unexpected(kELOOP);
      const auto jump = link.Jump();
      if (!jump) return std::unexpected(jump.error());
      if (!*jump) {
        const auto target = link.Target();
        if (!target) return std::unexpected(target.error());
        if (target->starts_with('/')) way.resize(1);
        rest = *target + rest.substr(end);
        if (target->empty() || rest.size() >= 2 * kPathMaxBytes)
          return std::unexpected(target->empty() ? kENOENT : kENAMETOOLONG);
        next = 0;
        continue;
      }
      ref = **jump;  // /proc/PID/exe, or a directory from which there is no way up
      ref.inode = InPlaceOf(ref.inode);
    }
    if (!ref.inode->is(kTypeDirectory)) {
      if (!is_last || end < rest.size()) return std::unexpected(kENOTDIR);
      return ref;
    }
    way.push_back(std::move(ref));
  }
}

DebuggerFiles::DebuggerFiles(Kernel& kernel, TreeSource& tree) : kernel_(kernel), tree_(tree) {}
DebuggerFiles::~DebuggerFiles() = default;

std::shared_ptr<Directory> DebuggerFiles::RootOf(std::uint32_t pid) const {
  const Process* const process = kernel_.processes().FindProcess(static_cast<int>(pid));
  if (pid != 0 && process != nullptr && !process->threads.empty()) {
    const Task& leader = *process->threads.front();
    if (leader.fs_context && leader.fs_context->root) return leader.fs_context->root;
  }
  return kernel_.files().root();
}

Result<std::shared_ptr<DebugFile>, Errno> DebuggerFiles::Open(std::uint32_t pid,
                                                              const std::string& path,
                                                              bool follow_last) {
  const KeptNumbers kept(kernel_);
  // A program that runs is there under the name that it is told of, also when its file is gone.
  for (const auto& [id, task] : kernel_.processes().tasks()) {
    if (!task->program) continue;
    const PathRef& executable = task->program->executable;
    if (executable.inode && DisplayPath(kernel_.files().root(), executable) == path)
      return std::make_shared<Node>(kernel_, executable.inode, nullptr);
  }
  if (!shadow_) shadow_ = std::make_unique<Shadow>(kernel_, tree_);
  const auto found = shadow_->Walk(RootOf(pid), path, follow_last);
  if (!found) return std::unexpected(found.error());
  const std::shared_ptr<Inode>& inode = found->inode;
  const bool is_made_up =
      inode->is(kTypeRegular) && dynamic_cast<RegularFile*>(inode.get()) == nullptr;
  std::shared_ptr<OpenFile> open;
  if (is_made_up) {
    auto opened = inode->Open(*found, kOpenReadOnly);
    if (!opened) return std::unexpected(opened.error().error);
    open = std::move(*opened);
  }
  return std::make_shared<Node>(kernel_, inode, std::move(open));
}

Result<std::shared_ptr<DebugFile>, Errno> DebuggerFiles::OpenToWrite(std::uint32_t pid,
                                                                     const std::string& path,
                                                                     int flags, std::uint32_t mode,
                                                                     Tell tell) {
  const bool creates = (flags & kOpenCreate) != 0;
  const bool exclusive = creates && (flags & kOpenExclusive) != 0;
  ResolveOptions options;
  options.follow_last = !exclusive;
  options.may_be_missing = creates;
  const auto root = RootOf(pid);
  auto found = Resolve({root, root, Root()}, path, options);
  if (!found) return std::unexpected(found.error());
  Filesystem& files = kernel_.files();
  if (!found->ref.inode) {
    auto made = files.MakeFile(*found, mode & 0777, Root());
    if (!made) return std::unexpected(made.error());
    found->ref.inode = std::move(*made);
  } else if (exclusive) {
    return std::unexpected(kEEXIST);
  }
  Inode& inode = *found->ref.inode;
  if (inode.is(kTypeDirectory)) return std::unexpected(kEISDIR);
  if (dynamic_cast<RegularFile*>(&inode) == nullptr) return std::unexpected(kEACCES);
  if (inode.LiesOn(kVolumeReadOnly)) return std::unexpected(kEROFS);
  if ((flags & kOpenTruncate) != 0) {
    if (const auto cut = files.Truncate(inode, 0, Root()); !cut)
      return std::unexpected(cut.error());
  }
  auto open = inode.Open(found->ref, (flags & kOpenAccessMode) | kOpenLargeFile);
  if (!open) return std::unexpected(open.error().error);
  if (!(*open)->writable()) tell = nullptr;
  return std::make_shared<Node>(kernel_, found->ref.inode, std::move(*open), std::move(tell));
}

Result<void, Errno> DebuggerFiles::Unlink(std::uint32_t pid, const std::string& path) {
  ResolveOptions options;
  options.follow_last = false;
  const auto root = RootOf(pid);
  const auto found = Resolve({root, root, Root()}, path, options);
  if (!found) return std::unexpected(found.error());
  if (found->last != LastKind::kNormal || found->ref.inode->is(kTypeDirectory))
    return std::unexpected(kEISDIR);
  return kernel_.files().Unlink(*found, Root());
}

}  // namespace glovebox::engine
