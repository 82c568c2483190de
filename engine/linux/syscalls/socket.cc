// Sockets: making, naming and connecting them, socket(2), bind(2), connect(2), accept(2) and their
// kin; their options.
#include "engine/linux/syscalls/sockets.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace glovebox::engine {
namespace {

constexpr int kTypeMask = 0xf;  // SOCK_TYPE_MASK
constexpr int kTypeFlags = kOpenNonblock | kOpenCloseOnExec;

net::PeerIds EffectiveIds(const Task& task) {
  return {task.process.pid, task.credentials.euid, task.credentials.egid};
}

// The type and the flags of socket(2). Errors: EINVAL.
Result<int, Errno> TypeOf(SocketTypeFlags type) {
  if ((type.value & 0xffffffff & ~static_cast<std::uint64_t>(kTypeMask | kTypeFlags)) != 0)
    return std::unexpected(kEINVAL);
  return static_cast<int>(type.value) & kTypeMask;
}

Result<int, Errno> Install(Task& task, const std::shared_ptr<net::Socket>& socket,
                           std::uint64_t flags) {
  socket->SetFlags(kOpenReadWrite | (static_cast<int>(flags) & kOpenNonblock));
  socket->inode().uid = task.credentials.fsuid;
  socket->inode().gid = task.credentials.fsgid;
  return task.fds().Add(socket, (flags & kOpenCloseOnExec) != 0, task.open_file_limit());
}

// SO_RCVTIMEO and SO_SNDTIMEO of old have the ABI's own timeval; sockets know that of 64 bits.
bool IsNarrowTime(abi::Layout layout, int level, int name) {
  return abi::IsI386(layout) && level == net::kLevelSocket &&
         (name == net::kReceiveTimeout || name == net::kSendTimeout);
}

}  // namespace

TaskCaller::TaskCaller(Task& task)
    : Caller(EffectiveIds(task), task.credentials.capabilities.effective), task_(task) {}

Result<std::shared_ptr<net::SocketInode>, Errno> TaskCaller::MakeNode(const std::string& path) {
  ResolveOptions options;
  options.follow_last = false;
  options.may_be_missing = true;
  const auto at = task_.Resolve(kAtFdCwd, path, options);
  if (!at) return std::unexpected(at.error());
  const std::uint32_t mode = 0777 & ~task_.fs().umask;
  auto node = std::make_shared<net::SocketInode>(task_.kernel.services(), mode, kRootDevice);
  if (const auto made = task_.kernel.files().MakeNode(*at, node, task_.credentials); !made)
    return std::unexpected(made.error() == kEEXIST ? kEADDRINUSE : made.error());
  return node;
}

Result<std::shared_ptr<net::SocketInode>, Errno> TaskCaller::FindNode(const std::string& path) {
  const auto at = task_.Resolve(kAtFdCwd, path, {});
  if (!at) return std::unexpected(at.error());
  if (!MayAccess(*at->ref.inode, task_.credentials, kMayWrite)) return std::unexpected(kEACCES);
  auto node = std::dynamic_pointer_cast<net::SocketInode>(at->ref.inode);
  if (!node) return std::unexpected(kECONNREFUSED);
  return node;
}

Result<std::shared_ptr<net::Socket>, Errno> SocketOf(Task& task, Fd fd) {
  const auto file = HeldFileOf(task, fd);
  if (!file) return std::unexpected(file.error());
  auto socket = std::dynamic_pointer_cast<net::Socket>(*file);
  if (!socket) return std::unexpected(kENOTSOCK);
  return socket;
}

Result<net::RawAddress, Errno> ReadAddress(Task& task, GuestAddr from, std::int32_t size) {
  if (size < 0 || size > static_cast<std::int32_t>(net::kMaxAddressBytes))
    return std::unexpected(kEINVAL);
  net::RawAddress address(static_cast<std::size_t>(size));
  if (size == 0) return address;
  if (const auto ok = task.memory().ReadBytes(from, address); !ok)
    return std::unexpected(ok.error());
  return address;
}

Result<void, Errno> WriteAddress(Task& task, const net::RawAddress& address, GuestAddr to,
                                 GuestPtr<SocketLength> size) {
  const auto room = task.memory().Read(size);
  if (!room) return std::unexpected(room.error());
  if (*room < 0) return std::unexpected(kEINVAL);
  const auto part =
      std::span(address).first(std::min(address.size(), static_cast<std::size_t>(*room)));
  if (!part.empty()) {
    if (const auto ok = task.memory().WriteBytes(to, part); !ok) return ok;
  }
  return task.memory().Write(size, static_cast<SocketLength>(address.size()));
}

SyscallResult WaitOrFail(Task& task, const IoFailure& failure, const SocketWait& wait) {
  CallInFlight& call = *task.call;
  const auto over = [&](Errno error) {
    return wait.partial > 0 ? SyscallResult(wait.partial) : SyscallResult(error);
  };
  if (failure.wait == Wait::kNone) return over(failure.error);
  if (wait.dont_wait) return over(kEAGAIN);
  if (wait.timeout != 0 && !call.deadline) call.deadline = task.kernel.Now() + wait.timeout;
  if (wait.timeout != 0 && task.kernel.Now() >= *call.deadline) return over(wait.late);
  // signal(7): where a timeout is set the call is not restarted after a handler.
  const bool restarts = wait.timeout == 0 || !wait.own_timeout;
  return SyscallResult::Block({wait.timeout == 0 ? kNever : *call.deadline, failure.wait,
                               restarts ? OnSignal::kRestartIfAsked : OnSignal::kInterrupt,
                               wait.partial, failure.channel});
}

SyscallResult SysSocket(Task& task, SocketFamily family, SocketTypeFlags type, int protocol) {
  const auto plain = TypeOf(type);
  if (!plain) return plain.error();
  const auto socket = task.kernel.network().Make(family.value, *plain, protocol);
  if (!socket) return socket.error();
  const auto fd = Install(task, *socket, type.value);
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

SyscallResult SysSocketpair(Task& task, SocketFamily family, SocketTypeFlags type, int protocol,
                            GuestPtr<std::int32_t> fds) {
  const auto plain = TypeOf(type);
  if (!plain) return plain.error();
  const auto pair =
      task.kernel.network().MakePair(EffectiveIds(task), family.value, *plain, protocol);
  if (!pair) return pair.error();
  std::array<int, 2> made{-1, -1};
  Result<void, Errno> done{};
  for (std::size_t i = 0; i < made.size() && done; ++i) {
    const auto fd = Install(task, i == 0 ? pair->first : pair->second, type.value);
    if (!fd) {
      done = std::unexpected(fd.error());
    } else {
      made[i] = *fd;
      done = task.memory().Write(fds + i, *fd);
    }
  }
  if (!done) {
    for (const int fd : made) task.fds().Close(fd);
  }
  return FromResult(done);
}

SyscallResult SysBind(Task& task, Fd fd, InSocketAddress address, SocketLength size) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  const auto name = ReadAddress(task, address.address, size);
  if (!name) return name.error();
  TaskCaller caller(task);
  const auto bound = (*socket)->Bind(caller, *name);
  return bound ? SyscallResult(0) : SyscallResult(bound.error().error);
}

SyscallResult SysListen(Task& task, Fd fd, int backlog) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  TaskCaller caller(task);
  return FromResult((*socket)->Listen(caller, backlog));
}

SyscallResult SysAccept4(Task& task, Fd fd, OutSocketAddress address, GuestPtr<SocketLength> size,
                         SocketTypeFlags flags) {
  if (flags.HasOther(static_cast<std::uint64_t>(kTypeFlags))) return kEINVAL;
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  // Before a connection is taken from the queue: it would be lost.
  if (!task.fds().HasFree(task.open_file_limit())) return kEMFILE;
  const auto accepted = (*socket)->Accept();
  if (!accepted) {
    return WaitOrFail(task, accepted.error(),
                      {(*socket)->nonblocking(), (*socket)->receive_timeout()});
  }
  if (address.address != 0) {
    // A connection may be over before it is accepted: net/socket.c, do_accept.
    const auto peer = (*accepted)->PeerName();
    if (!peer) return kECONNABORTED;
    if (const auto ok = WriteAddress(task, *peer, address.address, size); !ok) return ok.error();
  }
  const auto made = Install(task, *accepted, flags.value);
  return made ? SyscallResult(*made) : SyscallResult(made.error());
}

SyscallResult SysAccept(Task& task, Fd fd, OutSocketAddress address, GuestPtr<SocketLength> size) {
  return SysAccept4(task, fd, address, size, {0});
}

SyscallResult SysConnect(Task& task, Fd fd, InSocketAddress address, SocketLength size) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  const auto name = ReadAddress(task, address.address, size);
  if (!name) return name.error();
  TaskCaller caller(task);
  const auto connected = (*socket)->Connect(caller, *name, (*socket)->nonblocking());
  if (connected) return 0;
  // The time that Linux needs to give up: tcp(7), tcp_syn_retries.
  constexpr Nanoseconds kGivesUpAfter = 127'000'000'000;
  const bool internet = (*socket)->family() != net::kFamilyUnix;
  SocketWait wait{.timeout = (*socket)->send_timeout(), .late = internet ? kEINPROGRESS : kEAGAIN};
  if (wait.timeout == 0 && internet)
    wait = {.timeout = kGivesUpAfter, .late = kETIMEDOUT, .own_timeout = false};
  return WaitOrFail(task, connected.error(), wait);
}

SyscallResult SysShutdown(Task& task, Fd fd, ShutdownHow how) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  if (how.value < 0 || how.value > 2) return kEINVAL;
  return FromResult((*socket)->Shutdown(static_cast<net::ShutdownBit>(how.value + 1)));
}

SyscallResult SysGetsockname(Task& task, Fd fd, OutSocketAddress address,
                             GuestPtr<SocketLength> size) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  return FromResult(WriteAddress(task, (*socket)->Name(), address.address, size));
}

SyscallResult SysGetpeername(Task& task, Fd fd, OutSocketAddress address,
                             GuestPtr<SocketLength> size) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  const auto peer = (*socket)->PeerName();
  return peer ? FromResult(WriteAddress(task, *peer, address.address, size))
              : SyscallResult(peer.error());
}

SyscallResult SysSetsockopt(Task& task, Fd fd, SocketLevel level, SocketOptionName name,
                            Address value, SocketLength size) {
  constexpr SocketLength kMostBytes = 4096;  // more than any option has
  if (size < 0) return kEINVAL;
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(size, kMostBytes)));
  if (!bytes.empty()) {
    if (const auto ok = task.memory().ReadBytes(value.value, bytes); !ok) return ok.error();
  }
  const abi::Layout layout = task.call->layout;
  if (IsNarrowTime(layout, level.value, name.value)) {
    if (bytes.size() < sizeof(abi::i386::Timeval)) return kEINVAL;
    const auto time =
        task.memory().Read(GuestPtr<const abi::Timeval>{value.value, abi::Layout::kI386});
    if (!time) return time.error();
    bytes = net::BytesOf(*time);
  }
  TaskCaller caller(task);
  return FromResult((*socket)->SetOption(caller, level.value, name.value, bytes));
}

SyscallResult SysGetsockopt(Task& task, Fd fd, SocketLevel level, SocketOptionName name,
                            Address value, GuestPtr<SocketLength> size) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  const auto room = task.memory().Read(size);
  if (!room) return room.error();
  if (*room < 0) return kEINVAL;
  auto bytes = (*socket)->GetOption(level.value, name.value);
  if (!bytes) return bytes.error();
  if (IsNarrowTime(task.call->layout, level.value, name.value)) {
    abi::Timeval time;
    std::memcpy(&time, bytes->data(), sizeof(time));
    abi::i386::Timeval narrow{};
    static_cast<void>(Encode(time, narrow));
    bytes = net::BytesOf(narrow);
  }
  const auto part =
      std::span(*bytes).first(std::min(bytes->size(), static_cast<std::size_t>(*room)));
  if (!part.empty()) {
    if (const auto ok = task.memory().WriteBytes(value.value, part); !ok) return ok.error();
  }
  return FromResult(task.memory().Write(size, static_cast<SocketLength>(part.size())));
}

}  // namespace glovebox::engine
