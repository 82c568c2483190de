// An upload as one line that rewrites itself on a terminal; silence where stderr is none.
#pragma once

#include <chrono>
#include <string>

#include "client/upload/uploader.h"

namespace glovebox::client {

// "uploading  [=====     ]  50%  5.0 of 10.0 MiB"
std::string ProgressLine(std::uint64_t sent_bytes, std::uint64_t total_bytes);

class ProgressBar : public UploadProgress {
 public:
  explicit ProgressBar(bool visible) : visible_(visible) {}
  void OnStart(std::uint64_t total_bytes) override;
  void OnBytes(std::uint64_t sent_bytes) override;
  void OnEnd() override;

 private:
  bool visible_;
  bool drawn_ = false;
  std::uint64_t total_bytes_ = 0;
  std::chrono::steady_clock::time_point last_drawn_;
};

}  // namespace glovebox::client
