// A file system over a tree in memory, with a clock that the test sets.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/vfs/filesystem.h"
#include "engine/vfs/open_file.h"
#include "tests/tools/memory_tree.h"

namespace glovebox::engine {

class VfsTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kDiskBytes = 1_MiB;

  void SetUp() override {
    tree.AddFile("/etc/motd", "welcome\n", 0644);
    tree.AddFile("/bin/tool", "#!/bin/sh\n", 0755);
    tree.AddSymlink("/etc/link", "motd");
    tree.AddSymlink("/etc/absolute", "/bin/tool");
    tree.AddSymlink("/etc/up", "../../../etc/motd");
    tree.AddSymlink("/loop", "loop");
    tree.AddDirectory("/tmp", 01777);
    tree.AddDirectory("/private", 0700);
    Build(kDiskBytes);
  }

  void Build(std::uint64_t disk_bytes) {
    services = std::make_shared<VfsServices>(VfsServices{BlobCache(tree),
                                                         DiskMeter(disk_bytes),
                                                         [this] { return now_ns; },
                                                         [](std::span<std::byte>) {},
                                                         {}});
    files = std::make_unique<Filesystem>(services, tree.Root());
  }

  Result<Resolved, Errno> Find(const std::string& path, ResolveOptions options = {}) {
    return Resolve({files->root(), files->root(), who}, path, options);
  }
  Result<Resolved, Errno> FindNew(const std::string& path) {
    ResolveOptions options;
    options.follow_last = false;
    options.may_be_missing = true;
    return Find(path, options);
  }
  Errno ErrorOf(const std::string& path, const ResolveOptions& options = {}) {
    const auto found = Find(path, options);
    return found ? Errno{} : found.error();
  }
  std::shared_ptr<RegularFile> MakeFile(const std::string& path) {
    auto made = files->MakeFile(*FindNew(path), 0644, who);
    EXPECT_TRUE(made.has_value());
    return std::static_pointer_cast<RegularFile>(*made);
  }
  static std::string Text(const FileContent& content) {
    std::string text(static_cast<std::size_t>(content.size_bytes()), '?');
    const auto read = content.Read(0, std::as_writable_bytes(std::span(text)));
    EXPECT_EQ(read.value_or(0), text.size());
    return text;
  }
  static Result<std::size_t, Errno> Write(FileContent& content, std::uint64_t at,
                                          std::string_view text) {
    return content.Write(at, std::as_bytes(std::span(text)));
  }

  tests::MemoryTree tree;
  std::int64_t now_ns = 1'000'000'000;
  std::shared_ptr<VfsServices> services;
  std::unique_ptr<Filesystem> files;
  Credentials who = Credentials::Of(0, 0);
};

}  // namespace glovebox::engine
