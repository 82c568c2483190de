#include "engine/linux/events/event_counter.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "engine/vfs/anonymous.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0} - 1;  // eventfd(2), write(2)

}  // namespace

Result<std::shared_ptr<EventCounter>, Errno> EventCounter::Make(Kernel& kernel,
                                                                std::uint32_t initial, int flags,
                                                                bool semaphore) {
  auto inode = MakeAnonymous(kernel.services(), "anon_inode:[eventfd]");
  if (!inode) return std::unexpected(kENFILE);
  return std::make_shared<EventCounter>(PathRef{std::move(inode), nullptr, {}}, flags, initial,
                                        semaphore);
}

IoResult EventCounter::Await(std::size_t wanted) {
  if (wanted < sizeof count_) return std::unexpected(kEINVAL);
  if (count_ == 0) return std::unexpected(IoFailure(Wait::kEvent, this));
  return sizeof count_;
}

IoResult EventCounter::Read(std::uint64_t, std::span<std::byte> out) {
  const std::uint64_t value = NextRead();
  std::memcpy(out.data(), &value, std::min(out.size(), sizeof value));
  return out.size();
}

void EventCounter::Consume(std::size_t bytes) {
  if (bytes != sizeof count_) return;
  count_ -= NextRead();
  inode().services()->file_event(this, kPollOut);
}

IoResult EventCounter::Write(std::uint64_t, std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  if (bytes.size() < sizeof value) return std::unexpected(kEINVAL);
  std::memcpy(&value, bytes.data(), sizeof value);
  if (value > kMost) return std::unexpected(kEINVAL);
  if (value > kMost - count_) return std::unexpected(IoFailure(Wait::kEvent, this));
  count_ += value;
  inode().services()->file_event(this, kPollIn);
  return sizeof value;
}

Result<std::uint16_t, IoFailure> EventCounter::Poll() {
  std::uint16_t events = 0;
  if (count_ > 0) events |= kPollIn;
  if (count_ < kMost) events |= kPollOut;
  return events;
}

std::string EventCounter::FdInfo() const {
  return fmt::format("eventfd-count: {:16x}\neventfd-semaphore: {}\n", count_, semaphore_ ? 1 : 0);
}

}  // namespace glovebox::engine
