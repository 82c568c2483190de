// glovebox rootfs import: a directory, an archive or an image becomes a root with a name.
#include <fmt/core.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <memory>

#include "client/commands/command.h"
#include "client/notice.h"
#include "client/render/json.h"
#include "client/render/units.h"
#include "client/rootfs/import.h"
#include "client/rpc/call.h"
#include "client/rpc/connection.h"
#include "client/rpc/root_name.h"

namespace glovebox::client {
namespace {

struct ImportVerbOptions {
  std::string path;
  std::string name;
  std::string max_size = "32G";
  bool replace = false;
};

constexpr std::string_view kHelp =
    R"(PATH is a directory, a tar archive (plain, or compressed with gzip, xz or zstd), an OCI image layout (its directory,
or a tar archive of it), or - for an archive on standard input. Modes, owners, times, extended attributes, symbolic
and hard links are kept; device nodes, FIFOs and sockets are left out, since a box has its own. Only what the server
lacks is sent. An image's environment, command, working directory and user become those of `run --root NAME`.

Examples:
  glovebox rootfs import --name debian ./debian-root
  debootstrap --variant=minbase bookworm d && glovebox rootfs import --name bookworm d
  glovebox rootfs import --name alpine alpine-minirootfs.tar.gz && glovebox run --root alpine -- sh -c 'cat /etc/os-release'
)";

// "images/Debian-12.tar.xz" to "debian-12".
std::string NameOf(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  std::string name = path.substr(path.rfind('/') + 1);
  name = name.substr(0, name.find(".tar"));
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    c = std::isalnum(byte) != 0 || c == '.' || c == '_' || c == '-'
            ? static_cast<char>(std::tolower(byte))
            : '-';
  }
  return name;
}

Result<std::uint64_t, Error> ParseSize(const std::string& text) {
  engine::LimitRow row = *engine::FindLimit("disk");  // a bound in bytes, as this one
  row.name = "--max-size";
  row.ceiling = engine::kNoLimit;
  return ParseLimitValue(row, text);
}

// One line that rewrites itself on a terminal.
class ProgressLine {
 public:
  explicit ProgressLine(bool visible) : visible_(visible) {}
  ~ProgressLine() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
  }
  void Show(const ImportProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (!visible_ || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    drawn_ = true;
    fmt::print(stderr, "\rimporting  {} entries, {}\x1b[K", CountText(progress.entries),
               BytesText(progress.bytes));
  }

 private:
  bool visible_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

// Before everything is read and sent: whether the root may have that name. (CreateRoot says so in
// the end, should another one take it meanwhile.)
Result<void, Error> CheckName(const Connection& connection, const std::string& name, bool replace) {
  v1::GetRootRequest request;
  request.set_name(RootResource(name));
  const auto there = Call(connection.roots(), &v1::RootService::StubInterface::GetRoot, request);
  if (!there && there.error().code != ErrorCode::kNotFound) return std::unexpected(there.error());
  if (!there || replace) return {};
  return Fail(
      ErrorCode::kAlreadyExists, "ROOT_EXISTS",
      fmt::format("there is a root \"{}\" already; --replace lets it have the new tree", name));
}

Result<int, Error> ImportRoot(const ImportVerbOptions& options, const Invocation& invocation) {
  const std::string name = options.name.empty() ? NameOf(options.path) : options.name;
  const auto max_bytes = ParseSize(options.max_size);
  if (!max_bytes) return std::unexpected(max_bytes.error());
  const auto connection = Connection::Open(invocation);
  if (!connection) return std::unexpected(connection.error());
  if (const auto free = CheckName(*connection, name, options.replace); !free)
    return std::unexpected(free.error());
  Result<Imported, Error> imported;
  {
    ProgressLine line(::isatty(STDERR_FILENO) != 0 && !invocation.quiet);
    imported = Import(connection->blobs(), options.path,
                      {*max_bytes, [&](const ImportProgress& progress) { line.Show(progress); }});
  }
  if (!imported) return std::unexpected(imported.error());
  for (const auto& [kind, row] : imported->left_out) {
    Notice(invocation,
           fmt::format("left out: {} {}, the first is {}", CountText(row.count), kind, row.first));
  }
  v1::CreateRootRequest request;
  *request.mutable_root() = imported->root;
  request.mutable_root()->set_name(RootResource(name));
  request.set_replace(options.replace);
  const auto root = Call(connection->roots(), &v1::RootService::StubInterface::CreateRoot, request);
  if (!root) return std::unexpected(root.error());
  if (invocation.format == OutputFormat::kJson) {
    fmt::print("{}", ToJson(*root, JsonLayout::kIndented));
    return 0;
  }
  fmt::print("{}\n", RootName(root->name()));
  Notice(invocation, fmt::format("{} entries, {}; sent {} in {} blobs",
                                 CountText(imported->read.entries), BytesText(imported->read.bytes),
                                 BytesText(imported->sent_bytes), CountText(imported->sent_blobs)));
  return 0;
}

}  // namespace

Action DeclareRootfsImport(CLI::App& app) {
  const auto options = std::make_shared<ImportVerbOptions>();
  app.add_option("PATH", options->path, "Directory, archive, image layout, or -")->required();
  app.add_option("--name", options->name, "Name of the root (default: from PATH)")
      ->type_name("NAME");
  app.add_option("--max-size", options->max_size,
                 "Refuse more than so many bytes of files (default 32G)")
      ->type_name("BYTES");
  app.add_flag("--replace", options->replace, "Let a root of this name have the new tree");
  app.footer(std::string(kHelp));
  return [options](const Invocation& invocation) { return ImportRoot(*options, invocation); };
}

}  // namespace glovebox::client
