// The box' end of what a client does while the box runs: what it types or pipes in, and the size of
// its window. Only Box' port for inputs from outside comes here, so that each of them is
// journalled.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "engine/linux/task.h"
#include "engine/linux/tty/pty.h"
#include "engine/process.h"
#include "engine/vfs/pipe.h"

namespace glovebox::engine {

class LiveInput {
 public:
  // The standard streams of a box with a terminal: one description, as a login gives them. The
  // first process leads a session that the terminal controls.
  static std::unique_ptr<LiveInput> MakeTerminal(Task& first, tty::PtsDirectory& pts,
                                                 const TerminalSize& size);
  // A pipe as standard input alone.
  static std::unique_ptr<LiveInput> MakePipe(Task& first);
  ~LiveInput();

  // The standard streams of another program that a debugger runs beside the first: the terminal,
  // or the same pipe as its stdin.
  void Join(Task& task);
  // Nothing can be typed any more.
  void HangUp();
  // Takes what there is room for; with `end`, which counts only once all is taken, nothing follows.
  std::size_t Take(std::span<const std::byte> bytes, bool end);
  // Somebody outside may still type.
  bool open() const { return open_; }
  // Null: stdin is a pipe.
  tty::Terminal* terminal() const { return terminal_.get(); }

 private:
  LiveInput() = default;

  bool open_ = true;
  std::shared_ptr<tty::Terminal> terminal_;
  tty::PtsDirectory* pts_ = nullptr;
  std::shared_ptr<Pipe> pipe_;
  std::weak_ptr<PipeInode> inode_;  // of the pipe, as long as the guest has it
};

}  // namespace glovebox::engine
