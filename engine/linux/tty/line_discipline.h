// N_TTY, the line discipline of terminals: what becomes of a byte that is typed, of one that a
// program writes, and what a read gets. Pure: no tasks, no files. Sources: termios(3);
// drivers/tty/n_tty.c for what that leaves open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "engine/linux/tty/termios.h"

namespace glovebox::engine::tty {

// What the discipline asks of its terminal.
class LineHost {
 public:
  virtual ~LineHost() = default;
  // Bytes for whoever looks at the screen, after output processing.
  virtual void Display(std::string_view bytes) = 0;
  // To the process group in the foreground.
  virtual void SignalForeground(int signal) = 0;
  // Output was stopped or may go on: IXON.
  virtual void FlowChanged(bool stopped) = 0;
  // What was typed was thrown away for the sake of a signal.
  virtual void InputFlushed() = 0;
};

class LineDiscipline {
 public:
  static constexpr std::size_t kBufferBytes = 4096;  // N_TTY_BUF_SIZE; tcsetattr(3): MAX_CANON

  LineDiscipline(LineHost& host, const Termios2& termios) : host_(host), termios_(termios) {}

  const Termios2& termios() const { return termios_; }
  void SetTermios(const Termios2& to);

  // --- typed ---
  // Takes bytes as they are typed; returns how many. It takes all but where a reader has lines or
  // bytes enough: what is too long for a line is thrown away instead.
  std::size_t Receive(std::span<const std::byte> bytes);
  void FlushInput();

  // --- read ---
  // What a read of `wanted` bytes finds now. `ready`: it need not wait for more.
  struct Readable {
    bool ready = false;
    std::size_t bytes = 0;  // to be copied; 0 and ready: an end of file
  };
  // `minimum`: of bytes that make a read ready outside of canonical mode.
  Readable Look(std::size_t wanted, std::size_t minimum) const;
  std::size_t Peek(std::span<std::byte> out) const;
  // Takes `bytes`, and the end-of-file character behind them where there is one.
  void Consume(std::size_t bytes);
  // FIONREAD.
  std::size_t Available() const;
  bool canonical() const { return (termios_.modes.local & (kIcanon | kExtproc)) == kIcanon; }
  std::size_t Minimum() const { return termios_.modes.characters[kVmin]; }
  std::size_t TimeTenths() const { return termios_.modes.characters[kVtime]; }

  // --- written ---
  // Output processing of what a program writes.
  void Write(std::span<const std::byte> bytes);

  bool stopped() const { return stopped_; }
  void SetStopped(bool stopped);

 private:
  struct Cell {
    std::uint8_t byte;
    bool ends_line;
  };
  enum class Erase : std::uint8_t { kCharacter, kWord, kLine };

  bool Has(std::uint32_t Termios::* word, std::uint32_t flag) const {
    return (termios_.modes.*word & flag) != 0;
  }
  bool Local(std::uint32_t flag) const { return Has(&Termios::local, flag); }
  bool Input(std::uint32_t flag) const { return Has(&Termios::input, flag); }
  bool Output(std::uint32_t flag) const { return Has(&Termios::output, flag); }
  bool IsCharacter(std::uint8_t byte, ControlCharacter which) const {
    const std::uint8_t set = termios_.modes.characters[which];
    return set != kDisabled && byte == set;
  }
  bool IsContinuation(std::uint8_t byte) const { return Input(kIutf8) && (byte & 0xc0) == 0x80; }

  void ReceiveOne(std::uint8_t byte);
  bool ControlFlow(std::uint8_t byte);
  bool RaiseSignal(std::uint8_t byte);
  bool EditLine(std::uint8_t byte);
  void Store(std::uint8_t byte, bool ends_line = false);
  void EndLine(std::uint8_t byte);
  void EraseInput(std::uint8_t byte, Erase what);
  void EchoErasureOf(std::size_t at, std::size_t bytes, Erase what);
  void Reprint(std::uint8_t byte);
  // Of the line that is being typed.
  bool line_is_empty() const { return cells_.size() == complete_; }

  void Echo(std::uint8_t byte);       // as it is shown: ^X under ECHOCTL
  void EchoPlain(std::uint8_t byte);  // with output processing only
  void EchoErase() { echo_ += "\b \b"; }
  void FinishErasing();
  void Process(std::uint8_t byte, std::string& out);
  void ShowEcho();

  LineHost& host_;
  Termios2 termios_;
  // Typed and not read. The first `complete_` cells are whole lines, or all of them without
  // canonical mode.
  std::deque<Cell> cells_;
  std::size_t complete_ = 0;
  bool literal_next_ = false;
  bool erasing_ = false;  // ECHOPRT: between '\' and '/'
  std::size_t column_ = 0;
  std::size_t line_column_ = 0;  // where the line that is typed began
  bool stopped_ = false;
  std::string echo_;  // not shown yet: gathered, or held while output is stopped
};

}  // namespace glovebox::engine::tty
