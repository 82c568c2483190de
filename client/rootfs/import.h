// Imports a root file system: what a path is, how it is read, and what the server is told.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "client/rootfs/import_sink.h"
#include "engine/base/result.h"
#include "glovebox/v1/blob_service.grpc.pb.h"
#include "glovebox/v1/root_service.pb.h"

namespace glovebox::client {

struct ImportOptions {
  std::uint64_t max_bytes = std::uint64_t{32} << 30;  // of all files together
  std::function<void(const ImportProgress&)> on_progress = [](const ImportProgress&) {};
};

struct Imported {
  v1::Root root;  // tree and config; no name yet
  ImportProgress read;
  std::map<std::string, ImportSink::LeftOut> left_out;
  std::uint64_t sent_bytes = 0;
  std::uint64_t sent_blobs = 0;
};

// `path`: a directory, an OCI image layout (a directory with index.json and oci-layout), a tar
// archive of either, or "-" for an archive on standard input. Returns when the server has all of
// it.
Result<Imported, Error> Import(v1::BlobService::StubInterface& blobs, const std::string& path,
                               const ImportOptions& options);

}  // namespace glovebox::client
