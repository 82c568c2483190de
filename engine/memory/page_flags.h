// The byte that every load and store looks at. Apart from address_space.h, so that the handlers,
// which take long to compile, depend on nothing else of it.
#pragma once

#include <cstdint>

namespace glovebox::engine {

// The flags of one page. A load needs kReadable, a store kPlain, an instruction fetch kExecutable.
enum PageFlag : std::uint8_t {
  kReadable = 1 << 0,
  // Writable, already charged, no decoded code in it, not watched, not clean since a checkpoint: a
  // store needs to do nothing but store.
  kPlain = 1 << 1,
  kExecutable = 1 << 2,
  kCharged = 1 << 3,  // the page is private memory and counted by the meter
  kHasCode = 1 << 4,  // decoded blocks were made from it
};

}  // namespace glovebox::engine
