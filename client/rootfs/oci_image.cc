#include "client/rootfs/oci_image.h"

#include <fmt/core.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "client/rootfs/archive.h"

namespace glovebox::client {
namespace {

using Json = google::protobuf::Struct;
using JsonValue = google::protobuf::Value;

constexpr std::size_t kMaxJson = 4 << 20;
constexpr int kMaxLayers = 512;
constexpr int kMaxIndexDepth = 4;
constexpr std::size_t kPiece = 256 << 10;

// What a manifest may call a layer: the specification's names, and Docker's for the same.
constexpr std::string_view kLayerTypes[] = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
};
constexpr std::string_view kIndexTypes[] = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
};

std::unexpected<Error> BadForm(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, "OCI_FORM", "OCI image layout: " + std::move(message));
}

const JsonValue* Member(const Json& object, const std::string& name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? nullptr : &found->second;
}
std::string Text(const Json& object, const std::string& name) {
  const JsonValue* value = Member(object, name);
  return value == nullptr ? std::string() : value->string_value();
}
const Json& Object(const Json& object, const std::string& name) {
  const JsonValue* value = Member(object, name);
  return value == nullptr ? Json::default_instance() : value->struct_value();
}
std::vector<Json> Objects(const Json& object, const std::string& name) {
  std::vector<Json> list;
  const JsonValue* value = Member(object, name);
  if (value == nullptr) return list;
  for (const JsonValue& element : value->list_value().values())
    list.push_back(element.struct_value());
  return list;
}
std::vector<std::string> Texts(const Json& object, const std::string& name) {
  std::vector<std::string> list;
  const JsonValue* value = Member(object, name);
  if (value == nullptr) return list;
  for (const JsonValue& element : value->list_value().values())
    list.push_back(element.string_value());
  return list;
}

bool IsOneOf(std::string_view text, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    if (name == text) return true;
  }
  return false;
}

Result<Json, Error> ParseJson(const std::string& text, const std::string& what) {
  Json object;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(text, &object, options).ok())
    return BadForm(what + " is no JSON object");
  return object;
}

Result<std::string, Error> ReadText(const HostFd& fd, const std::string& what) {
  std::string text(kMaxJson + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t count = ::read(fd.get(), text.data() + have, text.size() - have);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return BadForm(fmt::format("{}: {}", what, ErrnoText(errno)));
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  if (have > kMaxJson) return BadForm(what + " is larger than 4 MiB");
  text.resize(have);
  return text;
}

// A blob that a descriptor names, its bytes compared with the digest; read again from the start.
Result<HostFd, Error> OpenBlob(const LayoutFiles& files, const Json& descriptor) {
  constexpr std::string_view kPrefix = "sha256:";
  const std::string text = Text(descriptor, "digest");
  const auto wanted = text.starts_with(kPrefix)
                          ? DigestFromHex(std::string_view(text).substr(kPrefix.size()), 0)
                          : std::nullopt;
  if (!wanted) return BadForm(fmt::format("\"{}\" is no sha256 digest", ShownPath(text)));
  const std::string name = "blobs/sha256/" + HexOf(*wanted);
  auto fd = files(name);
  if (!fd) return fd;
  Hasher hasher;
  std::string buffer(kPiece, '\0');
  while (true) {
    const ssize_t count = ::read(fd->get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return BadForm(fmt::format("{}: {}", name, ErrnoText(errno)));
    if (count == 0) break;
    hasher.Update(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(count))));
  }
  if (hasher.Finish().sha256 != wanted->sha256) {
    return Fail(
        ErrorCode::kDataLoss, "OCI_DIGEST",
        fmt::format("OCI image layout: {} is damaged: its bytes have another digest", name));
  }
  if (::lseek(fd->get(), 0, SEEK_SET) != 0) return BadForm(name + " cannot be read twice");
  return fd;
}

Result<Json, Error> ReadJson(const LayoutFiles& files, const Json& descriptor) {
  const auto fd = OpenBlob(files, descriptor);
  if (!fd) return std::unexpected(fd.error());
  const std::string name = Text(descriptor, "digest");
  const auto text = ReadText(*fd, name);
  if (!text) return std::unexpected(text.error());
  return ParseJson(*text, name);
}

// Another platform's image; one that says nothing is taken.
bool IsForeign(const Json& descriptor) {
  const JsonValue* platform = Member(descriptor, "platform");
  if (platform == nullptr) return false;
  return Text(platform->struct_value(), "os") != "linux" ||
         Text(platform->struct_value(), "architecture") != "amd64";
}

// The one manifest for linux/amd64, through indexes of indexes.
Result<Json, Error> FindManifest(const LayoutFiles& files, const Json& index, int depth) {
  std::vector<Json> ours;
  for (Json& row : Objects(index, "manifests")) {
    // Attestations and the like have no platform of anybody.
    if (!IsForeign(row)) ours.push_back(std::move(row));
  }
  if (ours.empty()) return BadForm("there is no image for linux/amd64 in it");
  if (ours.size() > 1) {
    std::string names;
    for (const Json& row : ours) {
      names +=
          " " + ShownPath(Text(Object(row, "annotations"), "org.opencontainers.image.ref.name"));
    }
    return BadForm(
        fmt::format("there are {} images for linux/amd64 in it, and which is meant "
                    "cannot be told; their names:{}",
                    ours.size(), names));
  }
  auto next = ReadJson(files, ours.front());
  if (!next) return next;
  const bool is_index = IsOneOf(Text(ours.front(), "mediaType"), kIndexTypes) ||
                        Member(*next, "manifests") != nullptr;
  if (!is_index) return next;
  if (depth >= kMaxIndexDepth) return BadForm("indexes within indexes go too deep");
  return FindManifest(files, *next, depth + 1);
}

ImageConfig ConfigOf(const Json& image) {
  ImageConfig config;
  const Json& process = Object(image, "config");
  for (const std::string& entry : Texts(process, "Env")) config.root.add_env(entry);
  for (const char* part : {"Entrypoint", "Cmd"}) {
    for (const std::string& word : Texts(process, part)) config.root.add_command(word);
  }
  config.root.set_working_directory(Text(process, "WorkingDir"));
  config.user = Text(process, "User");
  return config;
}

std::optional<std::uint32_t> Number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The fields of the line of passwd(5) or group(5) whose field `at` is `key`.
std::vector<std::string_view> FindLine(std::string_view text, std::size_t at,
                                       std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::vector<std::string_view> fields;
    for (std::string_view line = text.substr(0, end);;) {
      const std::size_t colon = line.find(':');
      fields.push_back(line.substr(0, colon));
      if (colon == std::string_view::npos) break;
      line.remove_prefix(colon + 1);
    }
    if (fields.size() > 3 && fields[at] == key) return fields;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace

Result<ImageConfig, Error> ImportImage(const LayoutFiles& files, ImportSink& sink) {
  const auto index_file = files("index.json");
  if (!index_file) return std::unexpected(index_file.error());
  const auto index_text = ReadText(*index_file, "index.json");
  if (!index_text) return std::unexpected(index_text.error());
  const auto index = ParseJson(*index_text, "index.json");
  if (!index) return std::unexpected(index.error());
  const auto manifest = FindManifest(files, *index, 0);
  if (!manifest) return std::unexpected(manifest.error());
  const auto image = ReadJson(files, Object(*manifest, "config"));
  if (!image) return std::unexpected(image.error());
  const std::vector<Json> layers = Objects(*manifest, "layers");
  if (layers.empty() || layers.size() > kMaxLayers)
    return BadForm(
        fmt::format("the image has {} layers; 1 to {} are read", layers.size(), kMaxLayers));
  for (const Json& layer : layers) {
    const std::string type = Text(layer, "mediaType");
    if (!IsOneOf(type, kLayerTypes))
      return BadForm(fmt::format("a layer is \"{}\", which is not read", ShownPath(type)));
    const auto fd = OpenBlob(files, layer);
    if (!fd) return std::unexpected(fd.error());
    auto archive = Archive::Open(*fd, "layer " + Text(layer, "digest"));
    if (!archive) return std::unexpected(archive.error());
    sink.tree().BeginLayer();
    if (auto added = ImportArchive(**archive, /*whiteouts=*/true, sink); !added)
      return std::unexpected(added.error());
  }
  return ConfigOf(*image);
}

Result<void, Error> ResolveUser(const std::string& user, const std::string& passwd,
                                const std::string& group, v1::RootConfig& config) {
  if (user.empty()) return {};
  const std::size_t colon = user.find(':');
  const std::string_view name = std::string_view(user).substr(0, colon);
  const auto unknown = [&] {
    return Fail(ErrorCode::kInvalidArgument, "OCI_USER",
                fmt::format("the image's user \"{}\" is not in its /etc/passwd or /etc/group",
                            ShownPath(user)));
  };
  const auto uid = Number(name);
  const auto line = uid ? FindLine(passwd, 2, name) : FindLine(passwd, 0, name);
  if (!uid && line.empty()) return unknown();
  const auto found_uid = uid ? uid : Number(line[2]);
  const auto found_gid = line.empty() ? std::optional<std::uint32_t>(0) : Number(line[3]);
  if (!found_uid || !found_gid) return unknown();
  config.set_uid(*found_uid);
  config.set_gid(*found_gid);
  if (colon == std::string::npos) return {};
  const std::string_view group_name = std::string_view(user).substr(colon + 1);
  auto gid = Number(group_name);
  if (!gid) {
    const auto group_line = FindLine(group, 0, group_name);
    if (!group_line.empty()) gid = Number(group_line[2]);
  }
  if (!gid) return unknown();
  config.set_gid(*gid);
  return {};
}

}  // namespace glovebox::client
