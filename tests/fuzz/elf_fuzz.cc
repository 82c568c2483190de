// Any bytes as a program: parsed, mapped into a small address space, run for a few instructions.
// Whatever they hold, the answer is a value: a refusal with a reason, or a guest that ends in some
// way.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/base/check.h"
#include "engine/process.h"
#include "tests/tools/memory_tree.h"

namespace glovebox::engine {
namespace {

class Silent : public BoxHost {
 public:
  void OnOutput(OutputStream, std::span<const std::byte>, Icount) override {}
  void OnTrace(const TraceEvent&) override {}
  Result<Input, Error> ReadStdin(std::uint64_t, std::size_t) override {
    return Input{{}, true, false};
  }
};

}  // namespace
}  // namespace glovebox::engine

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace glovebox;
  using namespace glovebox::engine;
  tests::MemoryTree tree;
  tree.AddFile("/p", std::string(reinterpret_cast<const char*>(data), size), 0755);
  BoxSpec spec;
  spec.argv = {"/p"};
  spec.root = tree.Root();
  spec.trace_syscalls = true;
  spec.limits.Set(LimitId::kInstructions, 300);
  spec.limits.Set(LimitId::kMemory, 1_MiB);
  spec.limits.Set(LimitId::kDisk, 1_MiB);
  Silent host;
  auto box = Box::Make(spec, tree, host);
  GB_CHECK(box.has_value());
  while (true) {
    const auto state = (*box)->Run(1000);
    GB_CHECK(state.has_value());
    if (*state == RunState::kEnded) break;
  }
  const auto end = (*box)->Report().termination;
  GB_CHECK(end.has_value());
  // A refusal always says why.
  GB_CHECK(end->kind != Termination::Kind::kNotStarted || (end->code != 0 && !end->detail.empty()));
  return 0;
}
