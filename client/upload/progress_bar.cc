#include "client/upload/progress_bar.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "client/render/units.h"

namespace glovebox::client {
namespace {

constexpr int kWidth = 30;
constexpr std::uint64_t kWorthABar = 1 << 20;
constexpr std::chrono::milliseconds kRedraw(100);

}  // namespace

std::string ProgressLine(std::uint64_t sent_bytes, std::uint64_t total_bytes) {
  const std::uint64_t sent = std::min(sent_bytes, total_bytes);
  const double part =
      total_bytes == 0 ? 1 : static_cast<double>(sent) / static_cast<double>(total_bytes);
  const std::string bar(static_cast<std::size_t>(part * kWidth), '=');
  return fmt::format("uploading  [{:<{}}] {:3}%  {} of {}", bar, kWidth,
                     static_cast<int>(part * 100), BytesText(sent), BytesText(total_bytes));
}

void ProgressBar::OnStart(std::uint64_t total_bytes) {
  total_bytes_ = total_bytes;
  visible_ = visible_ && total_bytes >= kWorthABar;
}

void ProgressBar::OnBytes(std::uint64_t sent_bytes) {
  const auto now = std::chrono::steady_clock::now();
  if (!visible_ || (drawn_ && now - last_drawn_ < kRedraw)) return;
  drawn_ = true;
  last_drawn_ = now;
  fmt::print(stderr, "\r{}\x1b[K", ProgressLine(sent_bytes, total_bytes_));
}

void ProgressBar::OnEnd() {
  if (drawn_)
    fmt::print(stderr, "\r\x1b[K");  // what it was is over: leave no trace on the terminal
}

}  // namespace glovebox::client
