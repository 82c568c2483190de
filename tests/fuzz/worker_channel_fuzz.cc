// Whatever bytes a worker sends: the daemon cuts them into frames, believes or refuses them, and
// what it believes keeps to the bounds that the core counts on.
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/base/check.h"
#include "server/channel/bounds.h"
#include "server/channel/clean_text.h"
#include "server/channel/frame.h"
#include "server/pool/conversation.h"

using glovebox::server::Conversation;
namespace channel = glovebox::channel;
namespace server = glovebox::server;
namespace wire = glovebox::worker::v1;

namespace {

constexpr std::uint64_t kOutputLimit = 100;

// What the core would be told.
struct Told {
  std::uint64_t icount = 0;
  std::uint64_t output_bytes = 0;
  bool ended = false;

  void Take(const wire::FromWorker& message) {
    GB_CHECK(!ended);
    if (message.has_output()) {
      output_bytes += message.output().data().size();
      GB_CHECK(output_bytes <= kOutputLimit);
      Advance(message.output().icount());
    }
    for (const server::TraceRecord& record : server::TraceRecordsOf(message.trace())) {
      Advance(record.icount);
      for (const std::string& argument : record.arguments) GB_CHECK(channel::IsCleanText(argument));
    }
    if (message.has_journal()) {
      const auto record = server::JournalRecordOf(message.journal());
      GB_CHECK(record.signal >= 1 && record.signal <= channel::kMaxSignal);
      Advance(record.icount);
    }
    if (message.has_ended()) {
      ended = true;
      const server::BoxEnd end = server::BoxEndOf(message.ended());
      GB_CHECK(channel::IsCleanText(end.detail) && end.detail.size() <= channel::kMaxDetailBytes);
      GB_CHECK((end.kind == server::BoxEnd::Kind::kFailed) == !end.failure_reason.empty());
    }
  }
  void Advance(std::uint64_t to) {
    GB_CHECK(to >= icount);
    icount = to;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  server::RunRequest request;
  request.limits = {{"output", kOutputLimit}};
  request.has_stdin = true;
  request.trace_syscalls = true;
  Conversation conversation;
  channel::FrameReader reader(channel::kMaxFromWorkerBytes);
  Told told;
  reader.Append(std::span(reinterpret_cast<const char*>(data), size));
  for (;;) {
    const auto frame = reader.Next();
    if (!frame || !*frame) return 0;
    wire::FromWorker message;
    if (!message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size()))) return 0;
    if (!conversation.OnMessage(message)) return 0;
    told.Take(message);
    if (conversation.state() == Conversation::State::kIdle) {
      conversation.OnRun(request);
      conversation.OnSignal();
      conversation.OnCancel(/*wall_limit=*/true);
    }
  }
}
