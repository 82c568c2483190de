#include "server/core/root_names.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/core/clock.h"
#include "server/core/codec.h"
#include "server/core/page_token.h"
#include "server/core/spec_check.h"

namespace glovebox::server {
namespace {

constexpr std::size_t kMaxPageSize = 1'000;
constexpr const char* kPageFilter = "roots";
constexpr const char* kTreeField = "root.tree";
constexpr std::uint64_t kMaxId = 4'294'967'294;  // (uid_t) -1 means "leave it"

std::unexpected<Error> BadConfig(std::string field, std::string message) {
  return Fail(ErrorCode::kInvalidArgument, "ROOT_CONFIG", std::move(message),
              "root.config." + std::move(field));
}

// The rules of a job's spec, since a job's spec is made from it.
Result<void, Error> CheckConfig(const RootConfig& config) {
  std::size_t bytes = 0;
  const auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  for (const std::string& entry : config.env) {
    bytes += entry.size() + 1;
    const std::size_t equals = entry.find('=');
    if (has_nul(entry) || equals == std::string::npos || equals == 0)
      return BadConfig("env", "a variable must have the form KEY=VALUE, without NUL bytes");
  }
  for (const std::string& word : config.command) {
    bytes += word.size() + 1;
    if (has_nul(word)) return BadConfig("command", "an argument holds a NUL byte");
  }
  if (bytes > kMaxArgumentBytes) {
    return BadConfig(
        "env", fmt::format("env and command of {} bytes exceed {}", bytes, kMaxArgumentBytes));
  }
  const std::string& directory = config.working_directory;
  if (!directory.empty() &&
      (directory.front() != '/' || directory.size() > kMaxPathBytes || has_nul(directory))) {
    return BadConfig("working_directory", "the working directory is not an absolute path");
  }
  if (config.uid > kMaxId || config.gid > kMaxId)
    return BadConfig("uid", "4294967295 is no user or group");
  return {};
}

Result<NamedRoot, Error> RootOf(RootRow row) {
  auto config = DecodeRootConfig(row.config);
  if (!config) return std::unexpected(config.error());
  return NamedRoot{std::move(row.name), row.tree,  std::move(*config),
                   row.create_ns,       row.blobs, row.size_bytes};
}

Error OfTree(Error error) {
  error.field = kTreeField;
  return error;
}

}  // namespace

bool IsRootName(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kMaxRootName && plain(name.front()) &&
         std::ranges::all_of(name,
                             [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

Result<std::unique_ptr<RootNames>, Error> RootNames::Open(JobStore& store, BlobStore& blobs,
                                                          DirectoryParser parser) {
  auto key = LoadPageKey(store);
  if (!key) return std::unexpected(key.error());
  return std::unique_ptr<RootNames>(
      new RootNames(store, blobs, std::move(parser), std::move(*key)));
}

Result<NamedRoot, Error> RootNames::Create(NamedRoot root, bool replace) {
  if (!IsRootName(root.name)) {
    return Fail(ErrorCode::kInvalidArgument, "ROOT_NAME",
                fmt::format("a root's name has 1 to {} of a-z, 0-9, '.', '_', '-', and begins with "
                            "a letter or digit",
                            kMaxRootName),
                "root.name");
  }
  if (auto checked = CheckConfig(root.config); !checked) return std::unexpected(checked.error());
  const auto closure = ComputeClosure(blobs_, parser_, root.tree);
  if (!closure) return std::unexpected(OfTree(closure.error()));
  if (auto stored = CheckStored(blobs_, *closure, kTreeField); !stored)
    return std::unexpected(stored.error());
  root.create_ns = WallClockNs();
  root.blobs = closure->size();
  root.size_bytes = 0;
  for (const Digest& blob : *closure) root.size_bytes += blob.size_bytes;
  RootRow row;
  row.name = root.name;
  row.tree = root.tree;
  row.create_ns = root.create_ns;
  row.blobs = root.blobs;
  row.size_bytes = root.size_bytes;
  row.config = Encode(root.config);
  const auto put = store_.Commit(
      [&](Transaction& transaction) -> Result<void, Error> {
        auto written = transaction.PutNamedRoot(row, replace);
        // The first job in it then finds what belongs to it.
        if (written) written = transaction.PutRoot(root.tree, *closure);
        return written;
      },
      Durability::kPower);
  if (!put) return std::unexpected(put.error());
  return root;
}

Result<NamedRoot, Error> RootNames::Get(const std::string& name) {
  auto row = store_.reader().FindNamedRoot(kDefaultTenant, name);
  if (!row) return std::unexpected(row.error());
  if (!*row) {
    return Fail(ErrorCode::kNotFound, "ROOT_NOT_FOUND",
                fmt::format("there is no root \"{}\"", name), "name");
  }
  return RootOf(std::move(**row));
}

Result<RootPage, Error> RootNames::List(std::size_t page_size, const std::string& page_token) {
  std::string after;
  if (!page_token.empty()) {
    auto opened = OpenPageToken(page_key_, kPageFilter, page_token);
    if (!opened) {
      return Fail(ErrorCode::kInvalidArgument, "PAGE_TOKEN",
                  "the page token is not of this listing", "page_token");
    }
    after = std::move(*opened);
  }
  page_size = std::clamp<std::size_t>(page_size, 1, kMaxPageSize);
  auto rows = store_.reader().ListNamedRoots(kDefaultTenant, after, page_size + 1);
  if (!rows) return std::unexpected(rows.error());
  RootPage page;
  for (RootRow& row : *rows) {
    if (page.roots.size() == page_size) {
      page.next_page_token = SealPageToken(page_key_, kPageFilter, page.roots.back().name);
      break;
    }
    auto root = RootOf(std::move(row));
    if (!root) return std::unexpected(root.error());
    page.roots.push_back(std::move(*root));
  }
  return page;
}

Result<void, Error> RootNames::Delete(const std::string& name) {
  return store_.Commit(
      [&](Transaction& transaction) { return transaction.DeleteNamedRoot(kDefaultTenant, name); },
      Durability::kPower);
}

}  // namespace glovebox::server
