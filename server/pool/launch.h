// One request to run a box, from BoxLauncher::Launch to its last event.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/core/box_launcher.h"

namespace glovebox::server {

class WorkerLink;

// Everything but `pid` is touched on the pool's thread only.
struct Launch {
  RunRequest request;
  std::shared_ptr<BoxEvents> events;  // null once the last event was called
  std::shared_ptr<WorkerLink> link;   // null before a worker was found, and after its end
  // What came before a worker was found.
  std::vector<int> early_signals;
  struct Cancel {
    std::string why;
    bool wall_limit = false;
  };
  std::optional<Cancel> early_cancel;

  // How often a worker had it, and the epoch that its events were told of.
  unsigned hand_overs = 0;
  std::uint32_t epoch = 0;

  std::atomic<int> pid{0};

  // The last event. Exactly one of these is called, once; later calls do nothing.
  void End(const BoxEnd& end) {
    if (const auto last = std::exchange(events, nullptr)) last->OnEnded(end);
  }
  void Lose(const std::string& what) {
    if (const auto last = std::exchange(events, nullptr)) last->OnLost(what);
  }
};

}  // namespace glovebox::server
