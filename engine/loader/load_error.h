// Why a program could not be started.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "engine/base/errno.h"
#include "engine/base/result.h"

namespace glovebox::engine {

struct LoadError {
  Errno error = kENOEXEC;     // as execve(2) returns it
  std::string detail;         // what exactly is wrong, one sentence
  bool memory_limit = false;  // the box' memory limit ended it: no errno of the guest's
};

template <typename T>
using LoadResult = Result<T, LoadError>;

inline std::unexpected<LoadError> FailLoad(Errno error, std::string detail) {
  return std::unexpected(LoadError{error, std::move(detail), false});
}

}  // namespace glovebox::engine
