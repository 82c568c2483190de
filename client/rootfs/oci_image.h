// An OCI image (https://github.com/opencontainers/image-spec): index, manifest, configuration and
// layers, found by digest among blobs, every one of which is checked.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/rootfs/import_sink.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"
#include "glovebox/v1/root_service.pb.h"

namespace glovebox::client {

// Where the files of an image layout are: a directory, or what was taken out of an archive. Opens
// "index.json" or "blobs/sha256/HEX" for reading from the start. Errors: kNotFound
// OCI_BLOB_MISSING.
using LayoutFiles = std::function<Result<HostFd, Error>(const std::string& name)>;

// What the image's configuration says about a process in it.
struct ImageConfig {
  v1::RootConfig root;  // uid and gid not set yet
  std::string user;     // "name", "uid", "name:group", "uid:gid" or nothing
};

// Adds the layers of the image for linux/amd64. Errors: OCI_FORM for a layout that is none, or that
// has no such image, several of them, or layers that we do not read; OCI_DIGEST for a blob that is
// not what its name says; those of ImportArchive.
Result<ImageConfig, Error> ImportImage(const LayoutFiles& files, ImportSink& sink);

// The numbers of ImageConfig::user, names looked up in the texts of /etc/passwd and /etc/group.
// Errors: OCI_USER.
Result<void, Error> ResolveUser(const std::string& user, const std::string& passwd,
                                const std::string& group, v1::RootConfig& config);

}  // namespace glovebox::client
