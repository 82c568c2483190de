// A terminal: the line discipline, its size, whose session it controls, and the two ends of the
// pseudo-terminal that it is, pty(7). The other end is a guest's (/dev/ptmx) or outside of the box.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine/linux/kernel.h"
#include "engine/linux/tty/line_discipline.h"
#include "engine/vfs/file_events.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine::tty {

// TIOCPKT, ioctl_tty(2).
enum PacketBit : std::uint8_t {
  kPacketFlushRead = 1,
  kPacketFlushWrite = 2,
  kPacketStop = 4,
  kPacketStart = 8,
  kPacketNoStop = 16,
  kPacketDoStop = 32,
  kPacketIoctl = 64,
};

class Terminal : public LineHost {
 public:
  // As many bytes as the driver keeps between its two ends (drivers/tty/pty.c), besides what the
  // line disciplines keep for readers.
  static constexpr std::size_t kDriverBytes = 8192;
  static constexpr std::size_t kShownBytes = kDriverBytes + LineDiscipline::kBufferBytes;
  static constexpr std::uint64_t kChargedBytes = 64_KiB;

  // `outside`: what is shown leaves the box.
  Terminal(Kernel& kernel, std::uint32_t number, bool outside)
      : kernel_(kernel), number_(number), outside_(outside), lines_(*this, kStandardTermios) {}

  std::uint32_t number() const { return number_; }
  bool ChargeDisk() { return charge_.Add(kernel_.services(), kChargedBytes); }
  // Whose events wake those that wait at either end.
  const void* program_channel() const { return &lines_; }
  const void* other_channel() const { return this; }

  // --- whom it controls: 0 for none ---
  std::uint32_t session = 0;
  std::uint32_t foreground = 0;  // process group
  bool locked = true;            // unlockpt(3)
  bool exclusive = false;        // TIOCEXCL

  // --- modes ---
  const Termios2& termios() const { return lines_.termios(); }
  void SetTermios(const Termios2& to);
  const Winsize& size() const { return size_; }
  // SIGWINCH to the foreground where it changes.
  void Resize(const Winsize& to);
  void SetStopped(bool stopped);
  void FlushInput();
  // What was typed and has not reached the line discipline.
  void FlushTyped();

  // --- the end that types ---
  // Takes what there is room for.
  std::size_t Type(std::span<const std::byte> bytes);
  std::size_t TypeRoom() const { return kDriverBytes - typed_.size(); }

  // --- the screen, where it is a guest's ---
  std::size_t shown_bytes() const { return shown_.size(); }
  std::size_t PeekShown(std::span<std::byte> out) const;
  void DropShown(std::size_t bytes);
  void ForgetShown();
  bool packet_mode = false;
  std::uint8_t packet_status = 0;

  // --- the end of programs ---
  LineDiscipline& lines() { return lines_; }
  const LineDiscipline& lines() const { return lines_; }
  void Consume(std::size_t bytes);
  // Of what programs write; 0: they wait.
  std::size_t WriteRoom() const;
  // Takes what there is room for.
  std::size_t Write(std::span<const std::byte> bytes);
  Nanoseconds last_typed() const { return last_typed_; }

  // --- who has it open ---
  void AddProgram() {
    ++programs_;
    was_opened_ = true;
    TellOther();
  }
  void RemoveProgram() {
    --programs_;
    TellOther();
  }
  // Programs had it open and have no more: the other end reads EIO.
  bool programs_left() const { return was_opened_ && programs_ == 0; }
  bool other_end_closed() const { return other_end_closed_; }
  void CloseOtherEnd();

  // Nobody is at the other end any more, or TIOCVHANGUP: the session is told, and files that are
  // open by now are of no use.
  void HangUp();
  std::uint64_t hangups() const { return hangups_; }
  Nanoseconds hung_up_at() const { return hung_up_at_; }

  void TellPrograms(std::uint16_t events = FileEvents::kAnyEvent) const {
    kernel_.services()->file_event(program_channel(), events);
  }
  void TellOther(std::uint16_t events = FileEvents::kAnyEvent) const {
    kernel_.services()->file_event(other_channel(), events);
  }
  Kernel& kernel() const { return kernel_; }

  // LineHost
  void Display(std::string_view bytes) override;
  void SignalForeground(int signal) override;
  void FlowChanged(bool stopped) override;
  void InputFlushed() override;

 private:
  void Deliver();

  Kernel& kernel_;
  const std::uint32_t number_;
  const bool outside_;
  LineDiscipline lines_;
  Winsize size_{};
  DiskCharge charge_;
  std::deque<std::byte> typed_;  // what the line discipline has no room for
  std::deque<char> shown_;
  int programs_ = 0;
  bool was_opened_ = false;
  bool other_end_closed_ = false;
  std::uint64_t hangups_ = 0;
  Nanoseconds hung_up_at_ = 0;
  Nanoseconds last_typed_ = 0;
};

// The open file of either end; ioctls look for it.
class OpenTerminal : public OpenFile {
 public:
  OpenTerminal(PathRef path, int flags, std::shared_ptr<Terminal> terminal, bool is_master)
      : OpenFile(std::move(path), flags), terminal_(std::move(terminal)), is_master_(is_master) {}
  const std::shared_ptr<Terminal>& terminal() const { return terminal_; }
  bool is_master() const { return is_master_; }
  const void* EventChannel() const override {
    return is_master_ ? terminal_->other_channel() : terminal_->program_channel();
  }
  virtual bool hung_up() const { return false; }

 private:
  const std::shared_ptr<Terminal> terminal_;
  const bool is_master_;
};

}  // namespace glovebox::engine::tty
