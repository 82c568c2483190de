// pidfd_open(2): a process as a file.
#pragma once

#include <memory>

#include "engine/linux/guest_process.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

class PidFile final : public OpenFile {
 public:
  static Result<std::shared_ptr<PidFile>, Errno> Make(std::shared_ptr<Process> process, int flags);
  PidFile(PathRef path, std::shared_ptr<Process> process, int flags)
      : OpenFile(std::move(path), flags), process_(std::move(process)) {}

  // There until somebody has waited for it; null from then on.
  Process* process() const { return process_->reaped ? nullptr : process_.get(); }

  Result<std::uint16_t, IoFailure> Poll() override {
    return static_cast<std::uint16_t>(process_->ended ? kPollIn : 0);
  }
  const void* EventChannel() const override { return process_.get(); }
  std::string FdInfo() const override;

 private:
  const std::shared_ptr<Process> process_;
};

}  // namespace glovebox::engine
