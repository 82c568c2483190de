#include "client/stream/raw_terminal.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "client/tree/host_file.h"

namespace glovebox::client {
namespace {

// Written before `raw` is set, and then left alone: a signal handler reads it.
struct Saved {
  int fd = -1;
  termios before{};
  termios raw{};
};
Saved saved;
std::atomic<bool> raw = false;
static_assert(std::atomic<bool>::is_always_lock_free);

// What ends a program without its destructors.
constexpr std::array kFatal{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT};

extern "C" void RestoreAndDie(int number) {
  RawTerminal::Restore();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

std::unexpected<Error> NoModes(int fd) {
  if (errno == ENOTTY) {
    return Fail(ErrorCode::kInvalidArgument, "NOT_A_TERMINAL",
                "-t needs a terminal, and standard input is none: leave out -t (-i alone sends a "
                "pipe's bytes as they come)");
  }
  return Fail(ErrorCode::kInternal, "TERMINAL_MODES",
              fmt::format("cannot set the modes of the terminal on descriptor {}: {}", fd,
                          ErrnoText(errno)));
}

}  // namespace

Result<std::unique_ptr<RawTerminal>, Error> RawTerminal::Enter(int fd) {
  if (::tcgetattr(fd, &saved.before) != 0) return NoModes(fd);
  saved.fd = fd;
  saved.raw = saved.before;
  ::cfmakeraw(&saved.raw);
  for (const int number : kFatal) ::signal(number, RestoreAndDie);
  raw = true;
  if (::tcsetattr(fd, TCSADRAIN, &saved.raw) != 0) {
    raw = false;
    return NoModes(fd);
  }
  return std::unique_ptr<RawTerminal>(new RawTerminal);
}

RawTerminal::~RawTerminal() {
  Restore();
  for (const int number : kFatal) ::signal(number, SIG_DFL);
}

void RawTerminal::Again() {
  if (raw) static_cast<void>(::tcsetattr(saved.fd, TCSADRAIN, &saved.raw));
}

void RawTerminal::Restore() {
  if (raw.exchange(false)) static_cast<void>(::tcsetattr(saved.fd, TCSADRAIN, &saved.before));
}

bool RawTerminal::active() { return raw; }

v1::TerminalSize WindowSize(int fd) {
  winsize window{};
  static_cast<void>(::ioctl(fd, TIOCGWINSZ, &window));
  v1::TerminalSize size;
  size.set_rows(window.ws_row != 0 ? window.ws_row : 24);
  size.set_columns(window.ws_col != 0 ? window.ws_col : 80);
  return size;
}

}  // namespace glovebox::client
