// One layer of the worker's own sandbox, as told to the daemon and written into the job's record.
#pragma once

#include <cstring>
#include <string>
#include <utility>

namespace glovebox::worker {

struct Layer {
  std::string name;
  bool in_force = false;
  std::string detail;
};

inline Layer NotInForce(std::string name, const std::string& what, int error_number) {
  return {std::move(name), false, what + ": " + ::strerrordesc_np(error_number)};
}

}  // namespace glovebox::worker
