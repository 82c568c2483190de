// A root for a box of a test: files by path, as blobs in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/digest.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"
#include "glovebox/v1/tree.pb.h"

namespace glovebox::server {

class GuestRoot {
 public:
  // `path` without a leading '/'.
  void Add(const std::string& path, std::string content, std::uint32_t mode = 0644) {
    files_[path] = {std::move(content), mode};
  }
  // A file of the host's.
  void AddCopy(const std::string& path, const std::string& host_path) {
    std::ifstream file(host_path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + host_path);
    Add(path, std::string(std::istreambuf_iterator<char>(file), {}), 0755);
  }

  // The root's digest. Its blobs can then be opened.
  Digest Build() { return BuildFolder(""); }

  Result<HostFd, Error> Open(const Digest& digest) const {
    const auto blob = blobs_.find(digest);
    if (blob == blobs_.end()) return Fail(ErrorCode::kNotFound, "BLOB_FOREIGN", "not of this job");
    HostFd fd(::memfd_create("blob", MFD_CLOEXEC));
    std::string_view rest = blob->second;
    while (!rest.empty()) {
      const ssize_t n = ::write(fd.get(), rest.data(), rest.size());
      if (n <= 0) return Fail(ErrorCode::kInternal, "NO_MEMFD", ::strerrordesc_np(errno));
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    return fd;
  }

 private:
  struct File {
    std::string content;
    std::uint32_t mode;
  };

  Digest Keep(std::string bytes) {
    const Digest digest = DigestOf(std::as_bytes(std::span(bytes)));
    blobs_[digest] = std::move(bytes);
    return digest;
  }
  static void Set(const Digest& digest, v1::Digest* out) {
    out->set_sha256(HexOf(digest));
    out->set_size_bytes(digest.size_bytes);
  }
  // `prefix` is empty or ends in '/'.
  Digest BuildFolder(const std::string& prefix) {
    std::map<std::string, v1::Node> nodes;
    for (auto file = files_.lower_bound(prefix);
         file != files_.end() && file->first.starts_with(prefix); ++file) {
      const std::string rest = file->first.substr(prefix.size());
      const std::string name = rest.substr(0, rest.find('/'));
      if (nodes.contains(name)) continue;
      v1::Node& node = nodes[name];
      node.set_name(name);
      if (name == rest) {
        node.set_mode(file->second.mode);
        Set(Keep(file->second.content), node.mutable_file());
      } else {
        node.set_mode(0755);
        Set(BuildFolder(prefix + name + "/"), node.mutable_directory());
      }
    }
    v1::Directory directory;
    for (auto& [name, node] : nodes) *directory.add_entries() = std::move(node);
    return Keep(directory.SerializeAsString());
  }

  std::map<std::string, File> files_;
  std::map<Digest, std::string> blobs_;
};

}  // namespace glovebox::server
