// /sys, in the little that programs need: how many CPUs and memory nodes there are.
#pragma once

#include <memory>

#include "engine/linux/kernel.h"

namespace glovebox::engine {

std::shared_ptr<Directory> MakeSys(Kernel& kernel);

}  // namespace glovebox::engine
