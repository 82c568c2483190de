#include "engine/vfs/resolve.h"

#include <algorithm>
#include <utility>

namespace glovebox::engine {
namespace {

// Walks one path; links are spliced in front of what is left.
class Walk {
 public:
  Walk(const ResolveStart& from, const ResolveOptions& options)
      : from_(from), options_(options), at_(from.start) {}

  Result<Resolved, Errno> Go(std::string_view path) {
    if (path.empty()) return std::unexpected(kENOENT);
    if (const auto begun = Begin(path); !begun) return std::unexpected(begun.error());
    while (true) {
      next_ = std::min(rest_.find_first_not_of('/', next_), rest_.size());
      if (next_ == rest_.size()) return Ended();
      if (const auto step = Step(); !step) return std::unexpected(step.error());
      if (finished_) return std::move(result_);
    }
  }

 private:
  Result<void, Errno> Begin(std::string_view path) {
    rest_ = std::string(path);
    if (rest_.front() == '/') {
      if (const auto up = GoToRoot(); !up) return up;
    }
    return {};
  }

  // Where absolute paths start.
  const std::shared_ptr<Directory>& root() const {
    return options_.in_root ? from_.start : from_.root;
  }
  Result<void, Errno> GoToRoot() {
    if (options_.beneath || LeavesDevice(*root())) return std::unexpected(kEXDEV);
    at_ = root();
    result_.last = LastKind::kRoot;
    return {};
  }
  bool LeavesDevice(const Inode& to) const {
    return options_.same_device && to.device != from_.start->device;
  }

  // The path ended in a directory: "/", ".", ".." or a link to such.
  Resolved Ended() {
    result_.ref = {at_, at_->parent(), at_->name()};
    return std::move(result_);
  }

  Result<void, Errno> Step() {
    const std::size_t end = std::min(rest_.find('/', next_), rest_.size());
    const std::string name = rest_.substr(next_, end - next_);
    const bool is_last = rest_.find_first_not_of('/', end) == std::string::npos;
    if (name.size() > kNameMaxBytes) return std::unexpected(kENAMETOOLONG);
    if (!MayAccess(*at_, from_.who, kMayExecute)) return std::unexpected(kEACCES);
    if (is_last) result_.trailing_slash = result_.trailing_slash || end < rest_.size();
    next_ = end;
    if (name == "." || name == "..") {
      if (name == "..") {
        if (const auto up = Up(); !up) return up;
      }
      result_.last = name == "." ? LastKind::kDot : LastKind::kDotDot;
      return {};
    }
    result_.last = LastKind::kNormal;
    auto found = at_->Find(name);
    if (!found) {
      if (found.error() == kENOENT && is_last && options_.may_be_missing) {
        Finish({nullptr, at_, name});
        return {};
      }
      return std::unexpected(found.error());
    }
    const std::shared_ptr<Inode> inode = std::move(*found);
    if (inode->is(kTypeSymlink) && (!is_last || options_.follow_last || result_.trailing_slash)) {
      return Follow(static_cast<Symlink&>(*inode), is_last);
    }
    return Enter({inode, at_, name}, is_last);
  }

  Result<void, Errno> Enter(PathRef ref, bool is_last) {
    result_.is_mounted = ref.inode->mounted != nullptr;
    if (result_.is_mounted && options_.same_device) return std::unexpected(kEXDEV);
    while (ref.inode->mounted) ref.inode = ref.inode->mounted;
    if (ref.inode->is(kTypeDirectory)) {
      at_ = std::static_pointer_cast<Directory>(ref.inode);
      if (LeavesDevice(*at_)) return std::unexpected(kEXDEV);
      if (is_last) Finish(std::move(ref));
      return {};
    }
    if (!is_last || result_.trailing_slash) return std::unexpected(kENOTDIR);
    Finish(std::move(ref));
    return {};
  }

  Result<void, Errno> Follow(Symlink& link, bool is_last) {
    if (options_.no_symlinks || ++links_ > kMaxSymlinks) return std::unexpected(kELOOP);
    auto jump = link.Jump();
    if (!jump) return std::unexpected(jump.error());
    if (*jump) {
      if (options_.no_magic_links) return std::unexpected(kELOOP);
      if (options_.beneath || options_.in_root || LeavesDevice(*(**jump).inode))
        return std::unexpected(kEXDEV);
      result_.last = LastKind::kJump;
      return Enter(std::move(**jump), is_last);
    }
    const auto target = link.Target();
    if (!target) return std::unexpected(target.error());
    link.TouchAccessed();
    if (target->empty()) return std::unexpected(kENOENT);
    if (target->front() == '/') {
      if (const auto up = GoToRoot(); !up) return up;
    }
    rest_.replace(0, next_, *target);
    next_ = 0;
    return {};
  }

  Result<void, Errno> Up() {
    if (options_.beneath && at_ == from_.start) return std::unexpected(kEXDEV);
    if (at_ == root() || at_ == from_.root) return {};
    auto above = at_->parent();
    if (!above) return std::unexpected(kENOENT);
    if (LeavesDevice(*above)) return std::unexpected(kEXDEV);
    at_ = std::move(above);
    return {};
  }

  void Finish(PathRef ref) {
    result_.ref = std::move(ref);
    finished_ = true;
  }

  const ResolveStart& from_;
  const ResolveOptions& options_;
  std::shared_ptr<Directory> at_;
  std::string rest_;
  std::size_t next_ = 0;  // what is left of it begins there
  Resolved result_;
  int links_ = 0;
  bool finished_ = false;
};

}  // namespace

Result<Resolved, Errno> Resolve(const ResolveStart& from, std::string_view path,
                                const ResolveOptions& options) {
  return Walk(from, options).Go(path);
}

Result<std::string, Errno> PathOf(const std::shared_ptr<Directory>& root,
                                  const std::shared_ptr<Directory>& directory) {
  std::string path;
  std::shared_ptr<Directory> at = directory;
  while (at != root) {
    if (at->removed()) return std::unexpected(kENOENT);
    const auto above = at->parent();
    if (!above || above == at) return std::unexpected(kENOENT);
    path = "/" + at->name() + path;
    // As getcwd(2): and a guest may nest a million directories.
    if (path.size() >= kPathMaxBytes) return std::unexpected(kENAMETOOLONG);
    at = above;
  }
  return path.empty() ? "/" : path;
}

std::string DisplayPath(const std::shared_ptr<Directory>& root, const PathRef& ref) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (ref.inode && ref.inode->is(kTypeDirectory)) {
    auto directory = std::static_pointer_cast<Directory>(ref.inode);
    if (const auto path = PathOf(root, directory)) return *path;
    return "/" + directory->name() + std::string(kDeleted);
  }
  if (!ref.parent) return ref.name;
  auto path = PathOf(root, ref.parent).value_or("/");
  if (path != "/") path += '/';
  path += ref.name;
  if (ref.inode && ref.inode->link_count == 0) path += kDeleted;
  return path;
}

}  // namespace glovebox::engine
