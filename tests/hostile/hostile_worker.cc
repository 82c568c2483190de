// A worker that its guest took over: it says whatever harms. It comes up and locks itself as a real
// one does, because that happens before any guest; the job's `program` names what it then says.
// Links of this program by the names in kBirthmarks misbehave before they even have a job.
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

#include "server/channel/frame.h"
#include "server/worker/channel.h"
#include "server/worker/lockdown/lockdown.h"
#include "server/worker/lockdown/seccomp_table.h"
#include "server/worker/zygote.h"

namespace glovebox::worker {
namespace {

void SendRaw(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = channel::SendSome(kChannelFd, bytes, -1, /*block=*/true);
    if (sent.state != channel::IoState::kDone) ::_exit(0);
    bytes.remove_prefix(sent.bytes);
  }
}

void Send(const wire::FromWorker& message) {
  std::string bytes;
  channel::AppendFrame(message, &bytes);
  SendRaw(bytes);
}

[[noreturn]] void StayForever() {
  for (volatile bool forever = true; forever;) {
  }
  ::_exit(0);
}

wire::FromWorker OutputOf(std::string data) {
  wire::FromWorker message;
  message.mutable_output()->set_stream(1);
  message.mutable_output()->set_data(std::move(data));
  return message;
}

wire::FromWorker HonestEnd() {
  wire::FromWorker message;
  message.mutable_ended()->set_kind(wire::Ended::EXITED);
  message.mutable_ended()->set_trace_hash(std::string(32, '0'));
  return message;
}

wire::FromWorker BlobWish(char fill) {
  wire::FromWorker message;
  message.mutable_blob()->mutable_digest()->set_sha256(std::string(32, fill));
  return message;
}

struct TrickRow {
  std::string_view program;
  void (*play)();
};

const TrickRow kTricks[] = {
    {"garbage", [] { SendRaw(std::string(100'000, '\xa5')); }},
    {"huge-frame", [] { SendRaw(std::string("\xff\xff\xff\x7f", 4)); }},
    {"frame-above-bound",
     [] {
       SendRaw(std::string("\x01\x00\x10\x00", 4));
       for (;;) SendRaw(std::string(65536, 'x'));
     }},
    {"not-a-message", [] { SendRaw(std::string("\x03\x00\x00\x00\xff\xff\xff", 7)); }},
    {"empty-message", [] { SendRaw(std::string(4, '\0')); }},
    {"half-a-frame-and-death",
     [] {
       SendRaw(std::string("\x10\x00\x00\x00half", 8));
       ::_exit(3);
     }},
    {"foreign-blob", [] { Send(BlobWish('\x42')); }},
    {"wishes-without-end",
     [] {
       for (;;) Send(BlobWish('\0'));
     }},
    {"output-without-end",
     [] {
       for (;;) Send(OutputOf(std::string(65536, 'x')));
     }},
    {"words-after-the-end",
     [] {
       Send(HonestEnd());
       Send(OutputOf("after the end"));
     }},
    {"two-ends",
     [] {
       Send(HonestEnd());
       Send(HonestEnd());
     }},
    {"cancelled-by-itself",
     [] {
       wire::FromWorker message = HonestEnd();
       message.mutable_ended()->set_kind(wire::Ended::CANCELLED);
       Send(message);
     }},
    {"locked-twice",
     [] {
       wire::FromWorker message;
       message.mutable_locked();
       Send(message);
     }},
    {"deaf", [] { StayForever(); }},
    {"exit-without-a-word", [] { ::_exit(0); }},
    {"last-words-without-end",
     [] {
       const std::string line = "\x1b[2Jfake log line\nERROR all is lost\n";
       for (int i = 0; i < 20'000; ++i) {
         if (::write(kStderrFd, line.data(), line.size()) < 0) break;
       }
       ::_exit(4);
     }},
};

const TrickRow kBirthmarks[] = {
    {"born-dead", [] { ::_exit(5); }},
    {"born-talking", [] { SendRaw(std::string(1000, '\xa5')); }},
    {"born-running", [] { Send(OutputOf("before any job")); }},
};

void Play(const TrickRow* begin, const TrickRow* end, std::string_view name) {
  const auto* const row =
      std::find_if(begin, end, [&](const TrickRow& trick) { return trick.program == name; });
  if (row == end) return;
  row->play();
  StayForever();
}

void WorkerMain(std::string_view own_name) {
  Play(std::begin(kBirthmarks), std::end(kBirthmarks), own_name);
  LockDown();
  wire::FromWorker locked;
  locked.mutable_locked();
  Send(locked);
  Channel channel(kChannelFd);
  while (!channel.closed()) {
    if (const auto message = channel.TakeRun())
      Play(std::begin(kTricks), std::end(kTricks), message->run().program());
    channel.Receive(/*wait=*/true);
  }
}

}  // namespace
}  // namespace glovebox::worker

int main(int, char** argv) {
  const std::string_view path = argv[0];
  const auto outcome = glovebox::worker::RunZygote(glovebox::channel::kZygoteControlFd);
  if (outcome.is_worker) glovebox::worker::WorkerMain(path.substr(path.rfind('/') + 1));
  ::_exit(0);
}
