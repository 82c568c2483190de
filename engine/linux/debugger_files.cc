// Files as a debugger sees them. Looking into the guest's own file system would give its nodes
// numbers in another order, so this is a second one over the same root, which the guest knows
// nothing of. What the guest has written does not show, but for the program that runs.
#include "engine/linux/debugger_files.h"

#include <utility>

#include "engine/linux/proc.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/task.h"
#include "engine/vfs/filesystem.h"
#include "engine/vfs/resolve.h"

namespace glovebox::engine {
namespace {

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
  Node(Kernel& kernel, std::shared_ptr<Inode> inode, std::shared_ptr<OpenFile> open)
      : kernel_(kernel), inode_(std::move(inode)), open_(std::move(open)) {}

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

 private:
  Kernel& kernel_;
  const std::shared_ptr<Inode> inode_;
  const std::shared_ptr<OpenFile> open_;  // of what is made up when it is opened
};

}  // namespace

struct DebuggerFiles::View {
  View(Kernel& kernel, TreeSource& tree)
      : services(std::make_shared<VfsServices>(VfsServices{
            BlobCache(tree), DiskMeter(0), [&kernel] { return kernel.WallNanoseconds(); },
            [](std::span<std::byte>) {}, [](const void*) {}})),
        files(services, kernel.spec.root) {
    static_cast<void>(files.Mount("proc", MakeProc(kernel)));
  }
  std::shared_ptr<VfsServices> services;
  Filesystem files;
};

DebuggerFiles::DebuggerFiles(Kernel& kernel, TreeSource& tree) : kernel_(kernel), tree_(tree) {}
DebuggerFiles::~DebuggerFiles() = default;

Result<std::shared_ptr<DebugFile>, Errno> DebuggerFiles::Open(const std::string& path,
                                                              bool follow_last) {
  const KeptNumbers kept(kernel_);
  for (const auto& [id, task] : kernel_.processes().tasks()) {
    if (!task->program) continue;
    const PathRef& executable = task->program->executable;
    if (executable.inode && DisplayPath(kernel_.files().root(), executable) == path)
      return std::make_shared<Node>(kernel_, executable.inode, nullptr);
  }
  if (!view_) view_ = std::make_unique<View>(kernel_, tree_);
  const auto& root = view_->files.root();
  ResolveOptions options;
  options.follow_last = follow_last;
  // Links of /proc that jump lead into the guest's own files.
  options.no_magic_links = true;
  static const Credentials kRoot = Credentials::Of(0, 0);
  const auto found = Resolve({root, root, kRoot}, path, options);
  if (!found) return std::unexpected(found.error());
  const std::shared_ptr<Inode>& inode = found->ref.inode;
  const bool is_made_up = inode->device == kProcDevice && inode->is(kTypeRegular) &&
                          dynamic_cast<RegularFile*>(inode.get()) == nullptr;
  std::shared_ptr<OpenFile> open;
  if (is_made_up) {
    auto opened = inode->Open(found->ref, kOpenReadOnly);
    if (!opened) return std::unexpected(opened.error().error);
    open = std::move(*opened);
  }
  return std::make_shared<Node>(kernel_, inode, std::move(open));
}

}  // namespace glovebox::engine
