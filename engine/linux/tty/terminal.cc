#include "engine/linux/tty/terminal.h"

#include <algorithm>
#include <array>

#include "engine/linux/tty/job_control.h"

namespace glovebox::engine::tty {

void Terminal::SetTermios(const Termios2& to) {
  const Termios2 before = termios();
  Termios2 after = to;
  // A pseudo-terminal has neither parity nor widths: drivers/tty/pty.c, pty_set_termios.
  after.modes.control = (after.modes.control & ~(kCsize | kParenb)) | kCs8 | kCread;
  UpdateSpeeds(after);
  if (packet_mode) {
    // Whether the other end may stop output by itself.
    const auto usual_flow = [](const Termios& modes) {
      constexpr std::uint8_t kControlQ = 17, kControlS = 19;
      return (modes.input & kIxon) != 0 && modes.characters[kVstop] == kControlS &&
             modes.characters[kVstart] == kControlQ;
    };
    const bool now = usual_flow(after.modes);
    if (now != usual_flow(before.modes)) {
      packet_status = static_cast<std::uint8_t>(packet_status & ~(kPacketDoStop | kPacketNoStop));
      packet_status |= now ? kPacketDoStop : kPacketNoStop;
    }
    if (((before.modes.local | after.modes.local) & kExtproc) != 0) packet_status |= kPacketIoctl;
  }
  lines_.SetTermios(after);
  Deliver();
  TellPrograms();
  TellOther();
}

void Terminal::Resize(const Winsize& to) {
  if (to == size_) return;
  size_ = to;
  SignalForeground(kSIGWINCH);
}

void Terminal::SetStopped(bool stopped) { lines_.SetStopped(stopped); }

void Terminal::FlushInput() {
  lines_.FlushInput();
  FlushTyped();
  InputFlushed();
}

void Terminal::FlushTyped() {
  typed_.clear();
  TellOther(kPollOut);
}

std::size_t Terminal::Type(std::span<const std::byte> bytes) {
  const std::size_t count = std::min(bytes.size(), TypeRoom());
  typed_.insert(typed_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
  Deliver();
  return count;
}

// As much as the line discipline takes.
void Terminal::Deliver() {
  if (typed_.empty()) return;
  std::array<std::byte, 512> piece;
  while (!typed_.empty()) {
    const std::size_t count = std::min(piece.size(), typed_.size());
    std::copy_n(typed_.begin(), count, piece.begin());
    // A signal may throw away the rest while it is being taken.
    typed_.erase(typed_.begin(), typed_.begin() + static_cast<std::ptrdiff_t>(count));
    const std::size_t taken = lines_.Receive(std::span(piece).first(count));
    if (taken > 0) last_typed_ = kernel_.Now();
    if (taken == count) continue;
    typed_.insert(typed_.begin(), piece.begin() + static_cast<std::ptrdiff_t>(taken),
                  piece.begin() + static_cast<std::ptrdiff_t>(count));
    break;
  }
  TellPrograms(kPollIn);
}

void Terminal::Consume(std::size_t bytes) {
  lines_.Consume(bytes);
  if (typed_.empty()) return;
  Deliver();
  TellOther(kPollOut);
}

std::size_t Terminal::WriteRoom() const {
  if (lines_.stopped()) return 0;
  if (outside_) return ~std::size_t{0};
  return kShownBytes - std::min(kShownBytes, shown_.size());
}

std::size_t Terminal::Write(std::span<const std::byte> bytes) {
  // A tab may become eight blanks.
  const std::size_t room = WriteRoom();
  const bool grows = (termios().modes.output & kOpost) != 0;
  const std::size_t most = grows && room > 0 ? std::max<std::size_t>(room / 8, 1) : room;
  const auto part = bytes.first(std::min(most, bytes.size()));
  lines_.Write(part);
  return part.size();
}

void Terminal::Display(std::string_view bytes) {
  if (outside_) {
    kernel_.Output(OutputStream::kStdout, std::as_bytes(std::span(bytes)));
    return;
  }
  if (other_end_closed_) return;
  // Programs wait for room; echo that nobody looks at is lost.
  constexpr std::size_t kMost = kShownBytes + LineDiscipline::kBufferBytes;
  const std::size_t room = kMost - std::min(kMost, shown_.size());
  bytes = bytes.substr(0, room);
  shown_.insert(shown_.end(), bytes.begin(), bytes.end());
  TellOther(kPollIn);
}

std::size_t Terminal::PeekShown(std::span<std::byte> out) const {
  const std::size_t count = std::min(out.size(), shown_.size());
  std::transform(shown_.begin(), shown_.begin() + static_cast<std::ptrdiff_t>(count), out.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return count;
}

void Terminal::DropShown(std::size_t bytes) {
  shown_.erase(shown_.begin(), shown_.begin() + static_cast<std::ptrdiff_t>(bytes));
  TellPrograms(kPollOut);
}

void Terminal::ForgetShown() {
  shown_.clear();
  TellPrograms(kPollOut);
}

void Terminal::SignalForeground(int signal) {
  if (foreground != 0) SignalGroup(kernel_, foreground, signal);
}

void Terminal::FlowChanged(bool stopped) {
  if (packet_mode) {
    packet_status = static_cast<std::uint8_t>(packet_status & ~(kPacketStop | kPacketStart));
    packet_status |= stopped ? kPacketStop : kPacketStart;
  }
  TellPrograms(kPollOut);
  TellOther();
}

void Terminal::InputFlushed() {
  if (packet_mode) packet_status |= kPacketFlushRead;
  TellOther();
}

void Terminal::CloseOtherEnd() {
  other_end_closed_ = true;
  shown_.clear();
  HangUp();
}

void Terminal::HangUp() {
  ++hangups_;
  hung_up_at_ = kernel_.Now();
  FlushInput();
  LoseTerminal(kernel_, *this);
  TellPrograms();
  TellOther();
}

}  // namespace glovebox::engine::tty
