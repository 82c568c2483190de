// Signals for the events of a file: fcntl(2), F_SETOWN, F_SETSIG and O_ASYNC.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/linux/kernel.h"
#include "engine/vfs/node_watch.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

// Hangs on its open file (OpenFile::notice), and goes with it.
class AsyncNotice final : public FileListener {
 public:
  enum class OwnerKind : std::uint8_t { kThread, kProcess, kGroup };

  AsyncNotice(Kernel& kernel, OpenFile& file) : kernel_(kernel), file_(file) {}
  ~AsyncNotice() override { Listen(false, 0); }
  AsyncNotice(const AsyncNotice&) = delete;
  AsyncNotice& operator=(const AsyncNotice&) = delete;

  // The file's, made where there is none.
  static AsyncNotice& Of(Kernel& kernel, OpenFile& file);

  // O_ASYNC was set or cleared by way of this descriptor.
  void Listen(bool wanted, int fd);
  bool OnFileEvent(std::uint16_t events) override;
  // The owner gets the signal, which says these things where it is not SIGIO without more.
  void Tell(int code, std::int64_t band, int fd);

  OwnerKind kind = OwnerKind::kProcess;
  int owner = 0;                           // 0: nobody
  int signal = 0;                          // 0: SIGIO, without more
  std::unique_ptr<NodeWatcher> directory;  // F_NOTIFY

 private:
  Kernel& kernel_;
  OpenFile& file_;
  const void* channel_ = nullptr;  // that it listens to
  int fd_ = -1;
};

}  // namespace glovebox::engine
