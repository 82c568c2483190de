#include "client/rootfs/import.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <functional>
#include <span>

#include "client/rootfs/oci_image.h"
#include "tests/unit/client/fake_blobs.h"
#include "tests/unit/client/test_server.h"

namespace glovebox::client {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string HexDigest(std::string_view bytes) {
  return HexOf(DigestOf(std::as_bytes(std::span(bytes))));
}

// Puts an archive together, entry by entry, whatever nonsense they say.
class ArchiveMaker {
 public:
  using Filter = int (*)(archive*);
  explicit ArchiveMaker(const std::string& path, Filter filter = archive_write_add_filter_none)
      : handle_(archive_write_new()) {
    archive_write_set_format_pax_restricted(handle_);
    archive_write_set_options(handle_, "hdrcharset=BINARY");
    filter(handle_);
    archive_write_open_filename(handle_, path.c_str());
  }
  ~ArchiveMaker() { Close(); }
  void Close() {
    if (handle_ != nullptr) archive_write_free(std::exchange(handle_, nullptr));
  }
  ArchiveMaker& Add(const std::string& path, mode_t mode, std::string_view bytes = {},
                    const std::function<void(archive_entry*)>& more = {}) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_mode(entry, mode);
    archive_entry_set_uid(entry, 7);
    archive_entry_set_gid(entry, 8);
    archive_entry_set_mtime(entry, 1'000'000'000, 5);
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    if (more) more(entry);
    EXPECT_EQ(archive_write_header(handle_, entry), ARCHIVE_OK) << archive_error_string(handle_);
    archive_write_data(handle_, bytes.data(), bytes.size());
    archive_entry_free(entry);
    return *this;
  }
  ArchiveMaker& Link(const std::string& path, const std::string& target) {
    return Add(path, S_IFREG | 0644, {},
               [&](archive_entry* entry) { archive_entry_set_hardlink(entry, target.c_str()); });
  }
  ArchiveMaker& Symlink(const std::string& path, const std::string& target) {
    return Add(path, S_IFLNK | 0777, {},
               [&](archive_entry* entry) { archive_entry_set_symlink(entry, target.c_str()); });
  }

 private:
  archive* handle_;
};

class RootfsImportTest : public testing::Test {
 protected:
  std::string ReasonOf(const std::string& path) {
    const auto imported = Import(*stub_, path, options_);
    return imported ? "none" : imported.error().reason + ": " + imported.error().message;
  }
  v1::Root Root(const std::string& path) {
    last_ = Import(*stub_, path, options_);
    EXPECT_TRUE(last_) << last_.error().message;
    return last_ ? last_->root : v1::Root();
  }
  v1::Node At(const v1::Root& root, const std::vector<std::string>& names) {
    v1::Node node;
    *node.mutable_directory() = root.tree();
    for (const std::string& name : names) {
      v1::Directory listing;
      listing.ParseFromString(service_.stored[node.directory().sha256()]);
      node.Clear();
      for (const v1::Node& entry : listing.entries()) {
        if (entry.name() == name) node = entry;
      }
    }
    return node;
  }
  std::string Bytes(const v1::Node& node) { return service_.stored[node.file().sha256()]; }
  std::string Archive() const { return host_.Path("a.tar"); }

  TempDir host_;
  FakeBlobs service_;
  TestServer server_{service_};
  std::unique_ptr<v1::BlobService::Stub> stub_ = v1::BlobService::NewStub(server_.Channel());
  ImportOptions options_;
  Result<Imported, Error> last_;
};

TEST_F(RootfsImportTest, KeepsWhatAnArchiveSaysOfItsNodes) {
  const std::string odd = "b\xff\xfe";
  ArchiveMaker(Archive())
      .Add("./d/", S_IFDIR | 01755)
      .Add("d/f", S_IFREG | 04711, "bytes",
           [](archive_entry* entry) { archive_entry_xattr_add_entry(entry, "user.k", "v", 1); })
      .Symlink("d/l", "../else")
      .Link("d/h", "d/f")
      .Add("d/" + odd, S_IFREG | 0600, "odd");
  const v1::Root root = Root(Archive());
  const v1::Node file = At(root, {"d", "f"});
  EXPECT_EQ(At(root, {"d"}).mode(), 01755u);
  EXPECT_EQ(file.mode(), 04711u);
  EXPECT_EQ(file.uid(), 7u);
  EXPECT_EQ(file.gid(), 8u);
  EXPECT_EQ(file.mtime_ns(), 1'000'000'000'000'000'005);
  EXPECT_EQ(Bytes(file), "bytes");
  ASSERT_EQ(file.xattrs_size(), 1);
  EXPECT_EQ(file.xattrs(0).name(), "user.k");
  EXPECT_EQ(file.xattrs(0).value(), "v");
  EXPECT_EQ(At(root, {"d", "l"}).symlink(), "../else");
  EXPECT_EQ(file.hard_link().count(), 2u);
  EXPECT_EQ(At(root, {"d", "h"}).hard_link().id(), file.hard_link().id());
  EXPECT_EQ(Bytes(At(root, {"d", odd})), "odd");
  EXPECT_FALSE(At(root, {"d", odd}).has_hard_link());
}

TEST_F(RootfsImportTest, ReadsEachCompression) {
  ArchiveMaker(Archive()).Add("f", S_IFREG | 0644, "same");
  const std::string plain = Root(Archive()).tree().sha256();
  for (const ArchiveMaker::Filter filter :
       {archive_write_add_filter_gzip, archive_write_add_filter_xz,
        archive_write_add_filter_zstd}) {
    const std::string path = host_.Path("compressed");
    ArchiveMaker(path, filter).Add("f", S_IFREG | 0644, "same");
    EXPECT_EQ(Root(path).tree().sha256(), plain);
  }
}

TEST_F(RootfsImportTest, ADirectoryAndItsArchiveAreTheSameRoot) {
  host_.Write("d/sub/f", "x", 0640);
  host_.Write("d/large", std::string(3 << 20, 'l'));
  ASSERT_EQ(::link(host_.Path("d/sub/f").c_str(), host_.Path("d/other").c_str()), 0);
  ASSERT_EQ(::symlink("sub/f", host_.Path("d/link").c_str()), 0);
  ASSERT_EQ(::mkfifo(host_.Path("d/fifo").c_str(), 0600), 0);
  const v1::Root directory = Root(host_.Path("d"));
  EXPECT_EQ(last_->left_out.at("FIFOs").count, 1u);
  EXPECT_EQ(At(directory, {"other"}).hard_link().count(), 2u);
  const std::string command =
      "tar -C " + host_.Path("d") + " --format=posix --exclude=./fifo -cf " + Archive() + " .";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(Root(Archive()).tree().sha256(), directory.tree().sha256());
  EXPECT_EQ(last_->sent_blobs, 0u);  // the server has all of it
}

TEST_F(RootfsImportTest, RefusesWhatLeadsOutOfTheTree) {
  struct Row {
    const char* what;
    std::function<void(ArchiveMaker&)> make;
    const char* reason;
  };
  const Row rows[] = {
      {"dot dot", [](auto& a) { a.Add("a/../../x", S_IFREG | 0644, "x"); }, "BAD_PATH"},
      {"absolute", [](auto& a) { a.Add("/etc/x", S_IFREG | 0644, "x"); }, "BAD_PATH"},
      {"long name", [](auto& a) { a.Add(std::string(256, 'n'), S_IFREG | 0644); }, "BAD_PATH"},
      {"through a link",
       [](auto& a) { a.Symlink("l", "/etc").Add("l/passwd", S_IFREG | 0644, "x"); },
       "PATH_CONFLICT"},
      {"through a file",
       [](auto& a) { a.Add("f", S_IFREG | 0644, "x").Add("f/g", S_IFREG | 0644, "x"); },
       "PATH_CONFLICT"},
      {"file for a full directory",
       [](auto& a) { a.Add("d/f", S_IFREG | 0644, "x").Add("d", S_IFREG | 0644, "x"); },
       "PATH_CONFLICT"},
      {"hard link outside", [](auto& a) { a.Link("h", "../../etc/passwd"); }, "BAD_PATH"},
      {"hard link to nothing", [](auto& a) { a.Link("h", "absent"); }, "HARD_LINK"},
      {"hard link to a directory", [](auto& a) { a.Add("d/", S_IFDIR | 0755).Link("h", "d"); },
       "HARD_LINK"},
      {"hard link through a link", [](auto& a) { a.Symlink("l", "/etc").Link("h", "l/passwd"); },
       "HARD_LINK"},
      {"too deep",
       [](auto& a) {
         std::string path;
         for (int i = 0; i < 300; ++i) path += "d/";
         a.Add(path + "f", S_IFREG | 0644);
       },
       "TREE_TOO_DEEP"},
  };
  for (const Row& row : rows) {
    {
      ArchiveMaker maker(Archive());
      row.make(maker);
    }
    EXPECT_THAT(ReasonOf(Archive()), StartsWith(row.reason)) << row.what;
  }
}

TEST_F(RootfsImportTest, TheLaterOfTwoEntriesWins) {
  ArchiveMaker(Archive())
      .Add("f", S_IFREG | 0644, "first")
      .Link("h", "f")
      .Add("f", S_IFREG | 0600, "second")
      .Add("d/", S_IFDIR | 0700)
      .Add("d/x", S_IFREG | 0644, "x")
      .Add("d/", S_IFDIR | 0755);
  const v1::Root root = Root(Archive());
  EXPECT_EQ(Bytes(At(root, {"f"})), "second");
  EXPECT_EQ(Bytes(At(root, {"h"})), "first");
  EXPECT_FALSE(At(root, {"h"}).has_hard_link());
  EXPECT_EQ(At(root, {"d"}).mode(), 0755u);
  EXPECT_EQ(Bytes(At(root, {"d", "x"})), "x");
}

TEST_F(RootfsImportTest, LeavesDeviceNodesOut) {
  ArchiveMaker(Archive())
      .Add("dev/sda", S_IFBLK | 0600)
      .Add("dev/null", S_IFCHR | 0666)
      .Add("f", S_IFREG | 0644, "x");
  const v1::Root root = Root(Archive());
  EXPECT_EQ(last_->left_out.at("device nodes").count, 2u);
  EXPECT_EQ(last_->left_out.at("device nodes").first, "dev/sda");
  EXPECT_TRUE(At(root, {"dev"}).name().empty());
}

TEST_F(RootfsImportTest, ABombIsRefusedBeforeItIsRead) {
  options_.max_bytes = 1 << 20;
  ArchiveMaker(Archive(), archive_write_add_filter_gzip)
      .Add("zeros", S_IFREG | 0644, std::string((1 << 20) + 1, '\0'));
  EXPECT_THAT(ReasonOf(Archive()), StartsWith("ROOT_TOO_LARGE: with \"zeros\""));
  ArchiveMaker(Archive())
      .Add("a", S_IFREG | 0644, std::string(600 << 10, '\0'))
      .Add("b", S_IFREG | 0644, std::string(600 << 10, '\0'));
  EXPECT_THAT(ReasonOf(Archive()), StartsWith("ROOT_TOO_LARGE: with \"b\""));
  // A hole of a terabyte, in an archive of a few kilobytes.
  const std::string sparse = host_.Write("s/hole", "");
  ASSERT_EQ(::truncate(sparse.c_str(), off_t{1} << 40), 0);
  const std::string command = "tar -C " + host_.Path("s") + " -Scf " + Archive() + " hole";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_THAT(ReasonOf(Archive()), StartsWith("ROOT_TOO_LARGE"));
  EXPECT_THAT(ReasonOf(host_.Path("s")), StartsWith("ROOT_TOO_LARGE"));
}

TEST_F(RootfsImportTest, SaysWhatIsWrongWithABrokenArchive) {
  ArchiveMaker(Archive(), archive_write_add_filter_gzip)
      .Add("f", S_IFREG | 0644, std::string(100'000, 'x') + "end");
  struct stat status{};
  ASSERT_EQ(::stat(Archive().c_str(), &status), 0);
  ASSERT_EQ(::truncate(Archive().c_str(), status.st_size / 2), 0);
  EXPECT_THAT(ReasonOf(Archive()), StartsWith("ARCHIVE_DAMAGED"));
  ArchiveMaker(Archive()).Add("f", S_IFREG | 0644, std::string(100'000, 'x'));
  ASSERT_EQ(::truncate(Archive().c_str(), 50'000), 0);
  EXPECT_THAT(ReasonOf(Archive()), StartsWith("ARCHIVE_DAMAGED"));
  EXPECT_THAT(ReasonOf(host_.Write("text", std::string(2'000, 't'))), StartsWith("NOT_AN_ARCHIVE"));
  EXPECT_THAT(ReasonOf(host_.Path("absent")), StartsWith("FILE_NOT_FOUND"));
}

// An image layout in a directory, layer by layer.
class LayoutMaker {
 public:
  explicit LayoutMaker(const TempDir& host) : host_(host) {
    host_.Write("oci/oci-layout", R"({"imageLayoutVersion": "1.0.0"})");
  }
  void Layer(const std::function<void(ArchiveMaker&)>& make,
             const std::string& type = "application/vnd.oci.image.layer.v1.tar+gzip") {
    {
      ArchiveMaker maker(host_.Path("layer"), archive_write_add_filter_gzip);
      make(maker);
    }
    std::ifstream file(host_.Path("layer"), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    layers_ += (layers_.empty() ? "" : ",") + Blob(bytes, type);
  }
  void Finish(const std::string& config, const std::string& platform = "amd64") {
    const std::string manifest = R"({"schemaVersion": 2, "config": )" +
                                 Blob(config, "application/vnd.oci.image.config.v1+json") +
                                 R"(, "layers": [)" + layers_ + "]}";
    const std::string descriptor = Blob(manifest, "application/vnd.oci.image.manifest.v1+json");
    host_.Write("oci/index.json", R"({"schemaVersion": 2, "manifests": [)" +
                                      descriptor.substr(0, descriptor.size() - 1) +
                                      R"(, "platform": {"os": "linux", "architecture": ")" +
                                      platform + R"("}}]})");
  }

 private:
  std::string Blob(const std::string& bytes, const std::string& type) {
    host_.Write("oci/blobs/sha256/" + HexDigest(bytes), bytes);
    return R"({"mediaType": ")" + type + R"(", "digest": "sha256:)" + HexDigest(bytes) +
           R"(", "size": )" + std::to_string(bytes.size()) + "}";
  }

  const TempDir& host_;
  std::string layers_;
};

constexpr const char* kConfig = R"({"architecture": "amd64", "os": "linux", "config": {
  "Env": ["PATH=/bin", "A=b"], "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo"], "WorkingDir": "/work",
  "User": "worker:staff", "Volumes": null}})";

void MakeImage(const TempDir& host) {
  LayoutMaker image(host);
  image.Layer([](ArchiveMaker& a) {
    a.Add("etc/passwd", S_IFREG | 0644, "root:x:0:0::/:/bin/sh\nworker:x:1000:1001::/:/bin/sh\n");
    a.Add("etc/group", S_IFREG | 0644, "root:x:0:\nstaff:x:50:\n");
    a.Add("gone", S_IFREG | 0644, "x").Add("d/old", S_IFREG | 0644, "x");
    a.Add("o/old", S_IFREG | 0644, "x").Add("was-dir/f", S_IFREG | 0644, "x");
    a.Add("kept", S_IFREG | 0644, "low");
  });
  image.Layer([](ArchiveMaker& a) {
    a.Add(".wh.gone", S_IFREG | 0644);
    a.Add("d/new", S_IFREG | 0644, "x").Add("d/.wh.old", S_IFREG | 0644);
    // What the layer itself brings stays, also where it stands before the whiteout.
    a.Add("o/new", S_IFREG | 0644, "x").Add("o/.wh..wh..opq", S_IFREG | 0644);
    a.Add("was-dir", S_IFREG | 0644, "now a file").Link("again", "kept");
  });
  image.Finish(kConfig);
}

TEST_F(RootfsImportTest, AnImageIsItsLayersOnTopOfEachOther) {
  MakeImage(host_);
  const v1::Root root = Root(host_.Path("oci"));
  for (const auto& gone : {std::vector<std::string>{"gone"}, {"d", "old"}, {"o", "old"}})
    EXPECT_TRUE(At(root, gone).name().empty()) << gone.back();
  for (const auto& there : {std::vector<std::string>{"d", "new"}, {"o", "new"}, {"kept"}})
    EXPECT_FALSE(At(root, there).name().empty()) << there.back();
  EXPECT_EQ(Bytes(At(root, {"was-dir"})), "now a file");
  EXPECT_EQ(At(root, {"again"}).hard_link().count(), 2u);
  const v1::RootConfig& config = root.config();
  EXPECT_THAT(config.env(), testing::ElementsAre("PATH=/bin", "A=b"));
  EXPECT_THAT(config.command(), testing::ElementsAre("/bin/sh", "-c", "echo"));
  EXPECT_EQ(config.working_directory(), "/work");
  EXPECT_EQ(config.uid(), 1000u);
  EXPECT_EQ(config.gid(), 50u);
  // The archive of a layout is the same image.
  const std::string command = "tar -C " + host_.Path("oci") + " -cf " + Archive() + " .";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(Root(Archive()).tree().sha256(), root.tree().sha256());
}

TEST_F(RootfsImportTest, AnImageThatIsNotWholeIsRefused) {
  MakeImage(host_);
  const std::string passwd = "x";
  for (const auto& blob : std::filesystem::directory_iterator(host_.Path("oci/blobs/sha256"))) {
    std::ofstream(blob.path(), std::ios::app) << passwd;
  }
  EXPECT_THAT(ReasonOf(host_.Path("oci")), StartsWith("OCI_DIGEST"));
  std::filesystem::remove_all(host_.Path("oci/blobs"));
  EXPECT_THAT(ReasonOf(host_.Path("oci")), StartsWith("OCI_BLOB_MISSING"));
  host_.Write("oci/index.json", "[]");
  EXPECT_THAT(ReasonOf(host_.Path("oci")), StartsWith("OCI_FORM"));
}

TEST_F(RootfsImportTest, OnlyImagesForThisPlatformAreTaken) {
  LayoutMaker image(host_);
  image.Layer([](ArchiveMaker& a) { a.Add("f", S_IFREG | 0644, "x"); });
  image.Finish(kConfig, "arm64");
  EXPECT_THAT(ReasonOf(host_.Path("oci")), HasSubstr("no image for linux/amd64"));
}

TEST_F(RootfsImportTest, ALayerOfAnUnknownKindIsRefused) {
  LayoutMaker image(host_);
  image.Layer([](ArchiveMaker& a) { a.Add("f", S_IFREG | 0644, "x"); }, "application/x-other");
  image.Finish(kConfig);
  EXPECT_THAT(ReasonOf(host_.Path("oci")), HasSubstr("application/x-other"));
}

TEST(ResolveUser, TakesNamesAndNumbers) {
  struct Row {
    const char* user;
    int uid, gid;  // -1: refused
  };
  const std::string passwd = "root:x:0:0::/:\nw:x:10:20::/:\n";
  const std::string group = "g:x:30:\n";
  for (const Row& row :
       {Row{"", 0, 0}, Row{"w", 10, 20}, Row{"10", 10, 20}, Row{"99", 99, 0}, Row{"w:g", 10, 30},
        Row{"5:6", 5, 6}, Row{"nobody", -1, -1}, Row{"w:none", -1, -1}}) {
    v1::RootConfig config;
    const auto resolved = ResolveUser(row.user, passwd, group, config);
    EXPECT_EQ(resolved.has_value(), row.uid >= 0) << row.user;
    if (!resolved) continue;
    EXPECT_EQ(static_cast<int>(config.uid()), row.uid) << row.user;
    EXPECT_EQ(static_cast<int>(config.gid()), row.gid) << row.user;
  }
}

TEST(RootTree, HasABoundOnItsNodes) {
  RootTree tree;
  const Digest digest;
  for (std::size_t i = 0; i < RootTree::kMaxNodes; ++i)
    ASSERT_TRUE(tree.AddFile(std::to_string(i), {}, digest));
  EXPECT_EQ(tree.AddFile("more", {}, digest).error().reason, "TREE_TOO_LARGE");
  EXPECT_TRUE(tree.AddFile("7", {}, digest));  // in the place of another
}

}  // namespace
}  // namespace glovebox::client
