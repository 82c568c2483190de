#include "engine/linux/live_input.h"

#include <algorithm>
#include <utility>

#include "engine/linux/tty/job_control.h"

namespace glovebox::engine {
namespace {

tty::Winsize WinsizeOf(const TerminalSize& size) { return {size.rows, size.columns, 0, 0}; }

}  // namespace

std::unique_ptr<LiveInput> LiveInput::MakeTerminal(Task& first, tty::PtsDirectory& pts,
                                                   const TerminalSize& size) {
  auto terminal = pts.Add(true, first.credentials.fsuid);
  if (!terminal) return nullptr;
  std::unique_ptr<LiveInput> live(new LiveInput);
  live->terminal_ = std::move(*terminal);
  live->pts_ = &pts;
  tty::Termios2 modes = live->terminal_->termios();
  modes.modes.input |= tty::kIutf8;  // the box' locale is one of UTF-8
  live->terminal_->SetTermios(modes);
  live->terminal_->Resize(WinsizeOf(size));
  live->terminal_->locked = false;
  auto file = pts.OpenNode(*live->terminal_, kOpenReadWrite | kOpenLargeFile);
  if (!file) return nullptr;
  for (int fd = 0; fd < 3; ++fd) first.fds().Put(fd, {*file, false});
  first.process.session = first.process.group = first.process.pid;
  tty::TakeAsControlling(first.process, live->terminal_);
  return live;
}

std::unique_ptr<LiveInput> LiveInput::MakePipe(Task& first) {
  const auto inode = std::make_shared<PipeInode>(first.kernel.services(), 0600, kPipeDevice);
  inode->uid = first.credentials.uid;
  inode->gid = first.credentials.gid;
  std::unique_ptr<LiveInput> live(new LiveInput);
  live->pipe_ = inode->pipe();
  live->inode_ = inode;
  live->pipe_->AddEnd(false, true);
  first.fds().Put(0, {inode->OpenEnd(kOpenReadOnly), false});
  return live;
}

LiveInput::~LiveInput() {
  if (open_ && pipe_) pipe_->RemoveEnd(false, true);
}

std::size_t LiveInput::Take(std::span<const std::byte> bytes, bool end) {
  if (!open_) return bytes.size();  // nobody can read it any more
  std::size_t taken = bytes.size();
  if (terminal_) {
    taken = terminal_->Type(bytes);
  } else if (pipe_->readers() > 0) {
    taken = std::min(bytes.size(), pipe_->room());
    if (taken > 0) pipe_->Push(bytes.first(taken));
  }
  if (!end || taken < bytes.size()) return taken;
  HangUp();
  return taken;
}

void LiveInput::HangUp() {
  if (!std::exchange(open_, false)) return;
  if (terminal_) {
    pts_->Remove(terminal_->number());
    terminal_->CloseOtherEnd();
  } else {
    pipe_->RemoveEnd(false, true);
  }
}

void LiveInput::Join(Task& task) {
  if (terminal_) {
    const auto file = pts_->OpenNode(*terminal_, kOpenReadWrite | kOpenLargeFile);
    for (int fd = 0; file && fd < 3; ++fd) task.fds().Put(fd, {*file, false});
  } else if (const auto inode = inode_.lock()) {
    task.fds().Put(0, {inode->OpenEnd(kOpenReadOnly), false});
  }
}

}  // namespace glovebox::engine
