#include "engine/linux/kernel.h"

#include "engine/linux/ipc/ipc.h"
#include "engine/linux/ipc/mqueue.h"
#include "engine/linux/process_table.h"

#include <algorithm>
#include <utility>

namespace glovebox::engine {
namespace {

// Streams of the seed, so that what one consumer draws does not move what another gets.
enum RandomStream : std::uint64_t { kDeviceStream = 1, kExecStream = 2, kScheduleStream = 3 };

// How long one slice of Run may take. Only when control goes back to the embedder depends on it,
// never what the guest sees.
constexpr auto kSliceTime = std::chrono::microseconds(900);

}  // namespace

Kernel::Kernel(const BoxSpec& box_spec, WorldValues world_values, TreeSource& tree, BoxHost& host)
    : spec(box_spec),
      world(std::move(world_values)),
      memory_meter(spec.limits[LimitId::kMemory]),
      random(spec.seed, kDeviceStream),
      exec_random(spec.seed, kExecStream),
      host_(host),
      wall_start_ns_(static_cast<std::int64_t>(world.Number(WorldId::kStartTime)) * 1'000'000'000),
      bytes_per_ns_(world.Number(WorldId::kByteTime)),
      services_(std::make_shared<VfsServices>(
          VfsServices{BlobCache(tree), DiskMeter(spec.limits[LimitId::kDisk]),
                      [this] { return WallNanoseconds(); },
                      [this](std::span<std::byte> out) { random.Fill(out); },
                      [this](const void* channel) { scheduler.FileEvent(channel); }})),
      files_(services_, spec.root),
      network_(services_),
      ipc_(std::make_unique<Ipc>()),
      processes_(std::make_unique<ProcessTable>()) {
  // Without chaos the schedule is one for all seeds.
  const bool chaos = world.Text(WorldId::kScheduling) == "chaos";
  scheduler.SetPolicy(chaos ? Scheduler::Policy::kChaos : Scheduler::Policy::kRoundRobin,
                      world.Number(WorldId::kQuantum),
                      SeededRandom(chaos ? spec.seed : 0, kScheduleStream));
}

// What files tell while they go finds nobody who waits or listens.
Kernel::~Kernel() { services_->file_event = FileEvents(); }

void Kernel::BeginSlice() {
  nudged_.store(false, std::memory_order_relaxed);
  slice_end_ = std::chrono::steady_clock::now() + kSliceTime;
}

bool Kernel::SliceIsOver() const {
  return IsNudged() || std::chrono::steady_clock::now() >= slice_end_;
}

std::size_t Kernel::Output(OutputStream stream, std::span<const std::byte> bytes) {
  const std::uint64_t room = spec.limits[LimitId::kOutput] - output_bytes_;
  const auto part =
      bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size())));
  if (!part.empty()) {
    output_bytes_ += part.size();
    trace.AddOutput(static_cast<int>(stream), part);
    host_.OnOutput(stream, part, icount_);
  }
  if (part.size() < bytes.size()) EndByLimit(LimitId::kOutput);
  return bytes.size();
}

Result<BoxHost::Input, Error> Kernel::ReadStdin(std::uint64_t offset, std::size_t size) {
  auto input = host_.ReadStdin(offset, size);
  if (!input && !host_failure_) host_failure_ = input.error();
  return input;
}

void Kernel::End(Termination termination) {
  if (!termination_) termination_ = std::move(termination);
}

void Kernel::EndByLimit(LimitId limit) {
  if (limit == LimitId::kMemory && memory_meter.host_failed()) {
    FailHost({ErrorCode::kResourceExhausted,
              "NO_ADDRESS_SPACE",
              "the host has no place for memory of the guest",
              {}});
    return;
  }
  Termination termination;
  termination.kind = Termination::Kind::kLimit;
  termination.limit = limit;
  termination.limit_value = spec.limits[limit];
  End(std::move(termination));
}

std::string_view Kernel::NameUnknown(abi::AbiId abi, std::uint64_t number) {
  // A guest could try every number; past some they share a name.
  constexpr std::size_t kMaxNames = 256;
  const std::pair key(abi, number);
  if (unknown_names_.size() >= kMaxNames && !unknown_names_.contains(key)) return "syscall_other";
  const std::string_view prefix = abi == abi::AbiId::kI386 ? "i386_syscall_" : "syscall_";
  return unknown_names_.try_emplace(key, std::string(prefix) + std::to_string(number))
      .first->second;
}

}  // namespace glovebox::engine
