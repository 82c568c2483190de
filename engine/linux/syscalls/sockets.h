// What the files of the socket family share.
#pragma once

#include <memory>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/socket_arguments.h"
#include "engine/net/network.h"

namespace glovebox::engine {

// A task as sockets know it.
class TaskCaller : public net::Caller {
 public:
  explicit TaskCaller(Task& task);
  Result<std::shared_ptr<net::SocketInode>, Errno> MakeNode(const std::string& path) override;
  Result<std::shared_ptr<net::SocketInode>, Errno> FindNode(const std::string& path) override;

 private:
  Task& task_;
};

// The socket behind a descriptor. It stays the call's while that waits, also when the descriptor is
// closed meanwhile. Errors: EBADF, ENOTSOCK.
Result<std::shared_ptr<net::Socket>, Errno> SocketOf(Task& task, Fd fd);

// An address of `size` bytes out of guest memory. Errors: EINVAL, EFAULT.
Result<net::RawAddress, Errno> ReadAddress(Task& task, GuestAddr from, std::int32_t size);
// An address into guest memory, cut at what `size` says, which then says how long it really is.
Result<void, Errno> WriteAddress(Task& task, const net::RawAddress& address, GuestAddr to,
                                 GuestPtr<SocketLength> size);

// What could not be done now: waits, at most `timeout` (0: for ever), or says why not. `late`: the
// answer when the time is over; `partial`: what was done, which then is the answer instead.
struct SocketWait {
  bool dont_wait = false;
  Nanoseconds timeout = 0;
  Errno late = kEAGAIN;
  std::int64_t partial = 0;
  bool own_timeout = true;  // the program's: after a signal the call is not restarted
};
SyscallResult WaitOrFail(Task& task, const IoFailure& failure, const SocketWait& wait);

// read(2), write(2) and their vector forms on a socket.
SyscallResult ReadSocket(Task& task, const std::shared_ptr<net::Socket>& socket, Vectors vectors);
SyscallResult WriteSocket(Task& task, const std::shared_ptr<net::Socket>& socket, Vectors vectors);

// ioctl(2) on a socket: those of netdevice(7) and socket(7).
SyscallResult SocketIoctl(Task& task, net::Socket& socket, std::uint32_t request,
                          GuestAddr argument);

// socket.cc
SyscallResult SysSocket(Task& task, SocketFamily family, SocketTypeFlags type, int protocol);
SyscallResult SysSocketpair(Task& task, SocketFamily family, SocketTypeFlags type, int protocol,
                            GuestPtr<std::int32_t> fds);
SyscallResult SysBind(Task& task, Fd fd, InSocketAddress address, SocketLength size);
SyscallResult SysListen(Task& task, Fd fd, int backlog);
SyscallResult SysAccept(Task& task, Fd fd, OutSocketAddress address, GuestPtr<SocketLength> size);
SyscallResult SysAccept4(Task& task, Fd fd, OutSocketAddress address, GuestPtr<SocketLength> size,
                         SocketTypeFlags flags);
SyscallResult SysConnect(Task& task, Fd fd, InSocketAddress address, SocketLength size);
SyscallResult SysShutdown(Task& task, Fd fd, ShutdownHow how);
SyscallResult SysGetsockname(Task& task, Fd fd, OutSocketAddress address,
                             GuestPtr<SocketLength> size);
SyscallResult SysGetpeername(Task& task, Fd fd, OutSocketAddress address,
                             GuestPtr<SocketLength> size);
SyscallResult SysSetsockopt(Task& task, Fd fd, SocketLevel level, SocketOptionName name,
                            Address value, SocketLength size);
SyscallResult SysGetsockopt(Task& task, Fd fd, SocketLevel level, SocketOptionName name,
                            Address value, GuestPtr<SocketLength> size);

// socket_message.cc
SyscallResult SysSendto(Task& task, Fd fd, InBuffer buffer, Size size, MessageFlags flags,
                        InSocketAddress address, SocketLength address_bytes);
SyscallResult SysSendmsg(Task& task, Fd fd, InMessage message, MessageFlags flags);
SyscallResult SysSendmmsg(Task& task, Fd fd, GuestPtr<abi::CountedMessage> messages,
                          std::uint32_t count, MessageFlags flags);
SyscallResult SysRecvfrom(Task& task, Fd fd, OutBuffer buffer, Size size, MessageFlags flags,
                          OutSocketAddress address, GuestPtr<SocketLength> address_bytes);
SyscallResult SysRecvmsg(Task& task, Fd fd, OutMessage message, MessageFlags flags);
SyscallResult SysRecvmmsg(Task& task, Fd fd, GuestPtr<abi::CountedMessage> messages,
                          std::uint32_t count, MessageFlags flags, GuestPtr<abi::Timespec> timeout);

}  // namespace glovebox::engine
