// glovebox-worker with a box that follows a script instead of an engine: the zygote, the lock, the
// channel and the job loop are the real ones. The job's `program` names the script.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <iterator>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/check.h"
#include "server/worker/program.h"
#include "tests/unit/server/deaf_box.h"

namespace glovebox::worker {
namespace {

using engine::OutputStream;
using engine::RunState;
using engine::Termination;

class ScriptedBox : public engine::DeafBox {
 public:
  using Script = Result<RunState, Error> (*)(ScriptedBox&);

  ScriptedBox(engine::BoxSpec spec, Script script, engine::TreeSource& tree, engine::BoxHost& host)
      : spec_(std::move(spec)), script_(script), tree_(tree), host_(host) {
    report_.trace_hash = std::string(32, 'a');
  }

  Result<RunState, Error> Run(engine::Moment until) override {
    until_ = until.icount;
    return script_(*this);
  }
  Result<engine::Icount, Error> InjectSignal(int number) override {
    signals_.push_back(number);
    return report_.icount;
  }
  void Nudge() override {}
  engine::BoxReport Report() const override { return report_; }

  const engine::BoxSpec& spec() const { return spec_; }
  engine::TreeSource& tree() { return tree_; }
  engine::BoxHost& host() { return host_; }
  std::vector<int>& signals() { return signals_; }
  std::uint64_t& offset() { return offset_; }
  engine::Icount icount() const { return report_.icount; }
  engine::Icount until() const { return until_; }

  void Advance(engine::Icount n) { report_.icount += n; }
  void Write(std::string_view text, OutputStream stream = OutputStream::kStdout) {
    report_.output_bytes += text.size();
    host_.OnOutput(stream, std::as_bytes(std::span(text)), report_.icount);
  }
  RunState Exit(int code) {
    report_.termination =
        Termination{.kind = Termination::Kind::kExited, .code = code, .detail = {}};
    return RunState::kEnded;
  }
  // A slice of work that leaves a figure behind.
  RunState Slice() {
    Advance(std::min<engine::Icount>(100'000, until_ - report_.icount));
    report_.peak_memory_bytes = 4096;
    return RunState::kRunning;
  }

 private:
  engine::BoxSpec spec_;
  Script script_;
  engine::TreeSource& tree_;
  engine::BoxHost& host_;
  engine::BoxReport report_;
  std::vector<int> signals_;
  engine::Icount until_ = 0;
  std::uint64_t offset_ = 0;
};

using Stepped = Result<RunState, Error>;

// argv: text, exit status.
Stepped Say(ScriptedBox& box) {
  box.Advance(10);
  box.Write(box.spec().argv[0]);
  return box.Exit(std::stoi(box.spec().argv[1]));
}

Stepped Spin(ScriptedBox& box) { return box.Slice(); }

Stepped Flood(ScriptedBox& box) {
  static const std::string kText(4096, 'x');
  box.Slice();
  box.Write(kText);
  return RunState::kRunning;
}

// Echoes stdin in reads of argv[0] bytes; a signal ends it with 128 + number.
Stepped Cat(ScriptedBox& box) {
  if (!box.signals().empty()) return box.Exit(128 + box.signals().front());
  auto input = box.host().ReadStdin(box.offset(), std::stoul(box.spec().argv[0]));
  if (!input) return std::unexpected(input.error());
  if (input->not_yet) return RunState::kWaitsForInput;
  box.Advance(100);
  box.offset() += input->bytes.size();
  box.Write(std::string(reinterpret_cast<const char*>(input->bytes.data()), input->bytes.size()));
  return input->end && input->bytes.empty() ? box.Exit(0) : RunState::kRunning;
}

// Writes the bytes of the file that argv[0] (hex) and argv[1] (size) name.
Stepped ShowBlob(ScriptedBox& box) {
  const auto digest = DigestFromHex(box.spec().argv[0], std::stoull(box.spec().argv[1]));
  GB_CHECK(digest.has_value());
  const auto file = box.tree().OpenFile(*digest);
  if (!file) return std::unexpected(file.error());
  std::string bytes(digest->size_bytes, '\0');
  GB_CHECK(::pread(file->get(), bytes.data(), bytes.size(), 0) ==
           static_cast<ssize_t>(bytes.size()));
  box.Write(bytes);
  return box.Exit(0);
}

Stepped ListRoot(ScriptedBox& box) {
  const auto entries = box.tree().ReadDirectory(box.spec().root);
  if (!entries) return std::unexpected(entries.error());
  for (const engine::TreeEntry& entry : *entries) box.Write(entry.name + "\n");
  return box.Exit(0);
}

// Writes "number@icount " for each signal, and ends after argv[0] of them.
Stepped TellSignals(ScriptedBox& box) {
  box.Slice();
  for (const int number : box.signals()) {
    box.Write(std::to_string(number) + "@" + std::to_string(box.icount()) + " ");
    if (++box.offset() == std::stoull(box.spec().argv[0])) return box.Exit(0);
  }
  box.signals().clear();
  return RunState::kRunning;
}

Stepped TraceOnce(ScriptedBox& box) {
  box.Write("before");
  engine::TraceEvent event;
  event.icount = 7;
  box.Advance(7);
  event.name = "openat";
  event.arguments = {"AT_FDCWD", std::string(5000, 'a'), "\xff\x1b[2J"};
  event.result = "3";
  box.host().OnTrace(event);
  box.Write("after");
  return box.Exit(0);
}

Stepped Throw(ScriptedBox&) { throw std::bad_alloc(); }

// tgkill of any signal but SIGABRT is not in the filter.
Stepped Raise(ScriptedBox&) {
  ::raise(SIGSEGV);
  return RunState::kRunning;
}

Stepped TouchNothing(ScriptedBox&) {
  void* const hole = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile char*>(hole) = 1;
  return RunState::kRunning;
}

Stepped BreakInvariant(ScriptedBox& box) {
  GB_CHECK(box.icount() == 1);
  return RunState::kRunning;
}

Stepped OpenSocket(ScriptedBox&) {
  ::socket(AF_INET, SOCK_STREAM, 0);
  return RunState::kRunning;
}

// An engine that never looks up again.
Stepped Hang(ScriptedBox& box) {
  box.Write("x");
  for (volatile bool forever = true; forever;) {
  }
  return RunState::kRunning;
}

Stepped FailClearly(ScriptedBox&) {
  return Fail(ErrorCode::kInternal, "SCRIPTED_FAILURE", "as the script says");
}

struct ScriptRow {
  std::string_view program;
  ScriptedBox::Script script;
};
constexpr ScriptRow kScripts[] = {
    {"say", Say},
    {"spin", Spin},
    {"flood", Flood},
    {"cat", Cat},
    {"show-blob", ShowBlob},
    {"list-root", ListRoot},
    {"tell-signals", TellSignals},
    {"trace", TraceOnce},
    {"throw", Throw},
    {"fault", TouchNothing},
    {"raise", Raise},
    {"break-invariant", BreakInvariant},
    {"open-socket", OpenSocket},
    {"hang", Hang},
    {"fail", FailClearly},
};

Result<std::unique_ptr<engine::Box>, Error> MakeScriptedBox(const engine::BoxSpec& spec,
                                                            engine::TreeSource& tree,
                                                            engine::BoxHost& host) {
  const auto* const row = std::ranges::find(kScripts, spec.program, &ScriptRow::program);
  if (row == std::end(kScripts))
    return Fail(ErrorCode::kInvalidArgument, "NO_SUCH_SCRIPT", spec.program);
  return std::make_unique<ScriptedBox>(spec, row->script, tree, host);
}

}  // namespace
}  // namespace glovebox::worker

int main(int argc, char** argv) {
  return glovebox::worker::RunProgram(argc, argv, glovebox::worker::MakeScriptedBox);
}
