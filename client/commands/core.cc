// glovebox core: an ELF core of a job, for gdb and whatever else reads one.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "client/commands/number.h"
#include "client/commands/with_job.h"
#include "client/exit_status.h"
#include "client/notice.h"
#include "client/render/units.h"
#include "client/rpc/status.h"
#include "engine/base/host_fd.h"

namespace glovebox::client {
namespace {

struct CoreOptions {
  std::string file;
  std::optional<std::uint64_t> at;
  std::uint32_t pid = 0;
};

constexpr const char* kExamples =
    "A running job stands still while its core is read, and goes on as if nothing had been. A job\n"
    "that has ended runs again up to its end, or to --at: see `glovebox gdb --help`.\n"
    "The file is sparse: it takes the room of what the program has written and of its files' "
    "code.\n\n"
    "Examples:\n"
    "  glovebox core $job && gdb ./prog core.01K...\n"
    "  glovebox core $job --at 1500000 -o early.core\n"
    "  glovebox core $job --pid 7                     another process of the box\n";

Error CannotWrite(const std::string& path) {
  return Error{ErrorCode::kInternal,
               "WRITE_FAILED",
               fmt::format("cannot write {}: {}", path, std::strerror(errno)),
               {}};
}

// Writes the pieces of one core to their places.
class CoreFile {
 public:
  // Errors: WRITE_FAILED.
  static Result<CoreFile, Error> Create(const std::string& path) {
    CoreFile file;
    file.path_ = path;
    file.fd_ = HostFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.fd_) return std::unexpected(CannotWrite(path));
    return file;
  }

  Result<void, Error> Put(const v1::CoreChunk& chunk) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    if (chunk.offset_bytes() > kMost) {
      return Fail(ErrorCode::kDataLoss, "BAD_CHUNK", "the daemon sends a core of no sensible size");
    }
    for (std::size_t done = 0; done < chunk.data().size();) {
      const ssize_t put =
          ::pwrite(fd_.get(), chunk.data().data() + done, chunk.data().size() - done,
                   static_cast<off_t>(chunk.offset_bytes() + done));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return std::unexpected(CannotWrite(path_));
      done += static_cast<std::size_t>(put);
    }
    if (!chunk.end()) return {};
    is_whole_ = true;
    if (::ftruncate(fd_.get(), static_cast<off_t>(chunk.offset_bytes())) != 0)
      return std::unexpected(CannotWrite(path_));
    return {};
  }
  bool is_whole() const { return is_whole_; }

  std::uint64_t TakenBytes() const {
    constexpr std::uint64_t kBlock = 512;  // stat(2)
    struct stat status{};
    return ::fstat(fd_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * kBlock
                                            : 0;
  }

 private:
  std::string path_;
  HostFd fd_;
  bool is_whole_ = false;
};

Result<int, Error> WriteCore(const CoreOptions& options, const Connection& connection,
                             const std::string& job, const Invocation& invocation) {
  const std::string path = options.file.empty() ? fmt::format("core.{}", JobId(job)) : options.file;
  v1::ReadCoreRequest request;
  request.set_name(job);
  request.set_pid(options.pid);
  if (options.at) request.set_at_icount(*options.at);
  grpc::ClientContext context;
  const auto reader = connection.sessions().ReadCore(&context, request);
  std::optional<CoreFile> file;  // not made for a job that has none
  v1::CoreChunk chunk;
  Result<void, Error> put;
  while (put && reader->Read(&chunk)) {
    if (!chunk.notice().empty()) {
      Notice(invocation, chunk.notice());
      continue;
    }
    if (!file) {
      auto made = CoreFile::Create(path);
      if (made) file = std::move(*made);
      if (!made) put = std::unexpected(made.error());
    }
    if (put) put = file->Put(chunk);
  }
  if (!put) context.TryCancel();
  const grpc::Status status = reader->Finish();
  if (put && !status.ok()) put = std::unexpected(ErrorOf(status));
  if (put && (!file || !file->is_whole()))
    put = Fail(ErrorCode::kDataLoss, "CORE_INCOMPLETE", "the core ended early");
  if (!put) {
    if (file) ::unlink(path.c_str());
    return std::unexpected(put.error());
  }
  Notice(invocation, fmt::format("{}: {} on disk", path, BytesText(file->TakenBytes())));
  return kExitOk;
}

}  // namespace

Action DeclareCore(CLI::App& app) {
  const auto options = std::make_shared<CoreOptions>();
  // Of the options that all verbs have, the format means nothing here.
  app.remove_option(app.get_option("--output"));
  app.add_option("-o,--output", options->file, "Where to (default: core.JOB)")->type_name("FILE");
  app.add_option("--at", options->at, "Of a job that has ended: at this icount, not at its end")
      ->type_name("ICOUNT")
      ->check(IsCount());
  app.add_option("--pid", options->pid, "Of this process of the box, not of its first")
      ->type_name("PID")
      ->check(IsCount());
  app.footer(kExamples);
  return DeclareWithJob(app, [options](const Connection& connection, const std::string& job,
                                       const Invocation& invocation) {
    return WriteCore(*options, connection, job, invocation);
  });
}

}  // namespace glovebox::client
