// Pseudo-terminals as files: /dev/ptmx, /dev/pts, /dev/tty; pty(7), tty(4).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "engine/linux/tty/terminal.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine::tty {

// /dev/pts: one node for each terminal whose other end is open.
class PtsDirectory : public Directory {
 public:
  static constexpr std::uint32_t kMaxTerminals = 4096;  // /proc/sys/kernel/pty/max

  explicit PtsDirectory(Kernel& kernel);
  // A terminal with the lowest free number. ENOSPC: there are as many as there may be.
  Result<std::shared_ptr<Terminal>, Errno> Add(bool outside, std::uint32_t owner);
  void Remove(std::uint32_t terminal_number);
  // Opens the node of a terminal: what TIOCGPTPEER and the box' own streams do.
  Result<std::shared_ptr<OpenFile>, IoFailure> OpenNode(const Terminal& terminal, int flags);

  Result<std::shared_ptr<Inode>, Errno> Find(const std::string& name) override;
  Result<std::vector<DirectoryEntry>, Errno> List(std::uint64_t cookie, std::size_t max) override;

 private:
  Kernel& kernel_;
  std::map<std::uint32_t, std::shared_ptr<Inode>> nodes_;
};

// Opening it makes a terminal and is its other end.
std::shared_ptr<Inode> MakePtmx(const std::shared_ptr<PtsDirectory>& pts, Kernel& kernel);
// The controlling terminal of whoever opens it; ENXIO where there is none.
std::shared_ptr<Inode> MakeDevTty(Kernel& kernel);

// The programs' end of the terminal whose other end `end` is: TIOCGPTPEER.
Result<std::shared_ptr<OpenFile>, IoFailure> OpenPeerOf(OpenTerminal& end, int flags);

// The device number of a terminal: Documentation/admin-guide/devices.txt, UNIX98 PTY slaves.
std::uint64_t DeviceOf(const Terminal& terminal);

}  // namespace glovebox::engine::tty
