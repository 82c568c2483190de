// What goes through sockets: send(2), recv(2) and their kin, read(2) and write(2) of sockets, and
// control messages, cmsg(3).
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/sockets.h"

namespace glovebox::engine {
namespace {

constexpr std::size_t kPieceBytes = 65536;
constexpr std::uint64_t kMostMessages = 1024;       // UIO_MAXIOV
constexpr std::uint64_t kMostControlBytes = 20480;  // net.core.optmem_max
constexpr std::size_t kMostFiles = 253;             // SCM_MAX_FD

// What a control message's header and data are aligned to: the ABI's word.
constexpr std::uint64_t Align(std::uint64_t size, abi::Layout layout) {
  const std::uint64_t word = abi::WordBytes(layout);
  return (size + word - 1) / word * word;
}
constexpr std::uint64_t ControlHeaderBytes(abi::Layout layout) {
  return abi::StoredBytes<abi::ControlHeader>(layout);
}

// --- sending ---

net::PeerIds RealIds(const Task& task) {
  return {task.process.pid, task.credentials.uid, task.credentials.gid};
}

Result<void, Errno> AddFiles(Task& task, GuestAddr data, std::uint64_t bytes, net::Outgoing& out) {
  const std::uint64_t count = bytes / sizeof(std::int32_t);
  if (count + out.files.size() > kMostFiles) return std::unexpected(kEINVAL);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto fd = task.memory().Read(GuestPtr<const std::int32_t>{data} + i);
    if (!fd) return std::unexpected(fd.error());
    auto file = task.fds().Get(*fd);
    if (!file) return std::unexpected(kEBADF);
    out.files.push_back(std::move(file));
  }
  return {};
}

// unix(7), SCM_CREDENTIALS: who may say that it is somebody else.
Result<void, Errno> SetSender(Task& task, GuestAddr data, std::uint64_t bytes, net::Outgoing& out) {
  if (bytes != sizeof(net::PeerIds)) return std::unexpected(kEINVAL);
  std::array<std::byte, sizeof(net::PeerIds)> raw;
  if (const auto ok = task.memory().ReadBytes(data, raw); !ok) return ok;
  net::PeerIds ids;
  std::memcpy(&ids, raw.data(), sizeof(ids));
  const Credentials& who = task.credentials;
  const auto one_of = [](std::uint32_t id, std::initializer_list<std::uint32_t> ours) {
    return std::ranges::find(ours, id) != ours.end();
  };
  if ((ids.pid != task.process.pid && !who.Can(Capability::kSysAdmin)) ||
      (!one_of(ids.uid, {who.uid, who.euid, who.suid}) && !who.Can(Capability::kSetuid)) ||
      (!one_of(ids.gid, {who.gid, who.egid, who.sgid}) && !who.Can(Capability::kSetgid))) {
    return std::unexpected(kEPERM);
  }
  if (task.kernel.processes().FindProcess(static_cast<int>(ids.pid)) == nullptr)
    return std::unexpected(kESRCH);
  out.sender = ids;
  out.names_sender = true;
  return {};
}

// A control message of a datagram over IP: ip_cmsg_send, ip6_datagram_send_ctl.
struct PacketControl {
  Task& task;
  GuestAddr data;
  std::uint64_t bytes;
  net::Outgoing& out;

  template <typename T>
  Result<T, Errno> Read() const {
    return task.memory().Read(GuestPtr<const T>{data});
  }
  // A number within bounds; one of -1 leaves what the socket has.
  Result<void, Errno> Number(std::optional<int>& to, int least, int most) const {
    if (bytes != sizeof(std::int32_t)) return std::unexpected(kEINVAL);
    const auto value = Read<std::int32_t>();
    if (!value) return std::unexpected(value.error());
    if (*value < least || *value > most) return std::unexpected(kEINVAL);
    if (*value >= 0) to = *value;
    return {};
  }
};

constexpr int kMostInByte = 255;

Result<void, Errno> TakeV4Control(const PacketControl& control, int type) {
  struct Info4 {
    std::int32_t index;
    std::uint32_t source, unused;
  };
  switch (type) {
    case net::kIpTtl:
      return control.Number(control.out.hops, 1, kMostInByte);
    case net::kIpTos: {
      if (control.bytes != sizeof(std::uint8_t))
        return control.Number(control.out.traffic_class, 0, kMostInByte);
      const auto value = control.Read<std::uint8_t>();
      if (!value) return std::unexpected(value.error());
      control.out.traffic_class = *value;
      return {};
    }
    case net::kIpPacketInfo: {
      if (control.bytes != sizeof(Info4)) return std::unexpected(kEINVAL);
      const auto info = control.Read<Info4>();
      if (!info) return std::unexpected(info.error());
      if (info->source != 0) control.out.from = net::IpAddress::V4(__builtin_bswap32(info->source));
      return {};
    }
    case net::kIpReturnOptions:
      return {};  // of routers, which are none
    default:
      return std::unexpected(kEINVAL);
  }
}

Result<void, Errno> TakeV6Control(const PacketControl& control, int type) {
  struct Info6 {
    std::array<std::uint8_t, 16> source;
    std::uint32_t index;
  };
  std::optional<int> ignored;
  switch (type) {
    case net::kIpv6HopLimit:
      return control.Number(control.out.hops, -1, kMostInByte);
    case net::kIpv6TrafficClass:
      return control.Number(control.out.traffic_class, -1, kMostInByte);
    case net::kIpv6DontFragment:
      return control.Number(ignored, 0, 1);
    case net::kIpv6PacketInfo: {
      if (control.bytes < sizeof(Info6)) return std::unexpected(kEINVAL);
      const auto info = control.Read<Info6>();
      if (!info) return std::unexpected(info.error());
      const auto source = net::IpAddress::V6(info->source);
      if (!source.IsAny()) control.out.from = source;
      return {};
    }
    default:
      return std::unexpected(kEINVAL);
  }
}

// Takes the control messages of a send apart: net/core/scm.c, __scm_send.
Result<void, Errno> TakeControl(Task& task, const net::Socket& socket,
                                const abi::MessageHeader& header, abi::Layout layout,
                                net::Outgoing& out) {
  if (header.control_bytes > kMostControlBytes) return std::unexpected(kENOBUFS);
  const std::uint64_t head = ControlHeaderBytes(layout);
  const bool local = socket.family() == net::kFamilyUnix;
  std::uint64_t at = 0;
  while (header.control_bytes - at >= head) {
    const auto one =
        task.memory().Read(GuestPtr<const abi::ControlHeader>{header.control + at, layout});
    if (!one) return std::unexpected(one.error());
    if (one->length < head || one->length > header.control_bytes - at)
      return std::unexpected(kEINVAL);
    const GuestAddr data = header.control + at + head;
    const std::uint64_t bytes = one->length - head;
    if (one->level == net::kLevelSocket) {
      Result<void, Errno> done{};
      if (one->type != net::kControlRights && one->type != net::kControlCredentials) {
        return std::unexpected(kEINVAL);
      }
      if (local) {
        done = one->type == net::kControlRights ? AddFiles(task, data, bytes, out)
                                                : SetSender(task, data, bytes, out);
      }
      if (!done) return done;
    } else if (socket.keeps_messages()) {
      const PacketControl control{task, data, bytes, out};
      const bool v4 = one->level == net::kLevelIp && socket.family() == net::kFamilyInet;
      const bool v6 = one->level == net::kLevelIpv6 && socket.family() == net::kFamilyInet6;
      if (v4 || v6) {
        const auto done =
            v4 ? TakeV4Control(control, one->type) : TakeV6Control(control, one->type);
        if (!done) return done;
      }
    }
    at = std::min(at + Align(one->length, layout), header.control_bytes);
  }
  return {};
}

SyscallResult Sent(Task& task, std::uint64_t bytes) {
  task.kernel.SpendOnBytes(bytes);
  return static_cast<std::int64_t>(bytes);
}

SyscallResult SendFailed(Task& task, const net::Socket& socket, const net::Outgoing& out,
                         const IoFailure& failure, std::uint64_t done) {
  const bool broken = failure.wait == Wait::kNone && failure.error == kEPIPE;
  // Only streams signal it: where messages are kept apart nobody waits for an end.
  if (broken && done == 0 && !socket.keeps_messages() && (out.flags & net::kMessageNoSignal) == 0) {
    task.Send(kSIGPIPE, kSiUser);
  }
  return WaitOrFail(
      task, failure,
      {out.dont_wait, socket.send_timeout(), kEAGAIN, static_cast<std::int64_t>(done)});
}

// Sends what `vectors` lead to; what `out` says of it is set already.
SyscallResult SendVectors(Task& task, net::Socket& socket, Vectors vectors, net::Outgoing& out) {
  CallInFlight& call = *task.call;
  const std::uint64_t total = TotalBytes(vectors);
  out.dont_wait = socket.nonblocking() || (out.flags & net::kMessageDontWait) != 0;
  if (socket.keeps_messages()) {
    if (total > socket.max_message_bytes()) return kEMSGSIZE;
    std::vector<std::byte> message(static_cast<std::size_t>(total));
    if (Gather(task, vectors, 0, message) != message.size()) return kEFAULT;
    out.bytes = message;
    const auto sent = socket.SendMessage(out);
    return sent ? Sent(task, *sent) : SendFailed(task, socket, out, sent.error(), 0);
  }
  std::vector<std::byte> piece(
      static_cast<std::size_t>(std::min<std::uint64_t>(total, kPieceBytes)));
  // Files go with the first byte.
  if (call.progress > 0) out.files.clear();
  do {
    const auto want = std::span(piece).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(total - call.progress, piece.size())));
    const std::size_t got = Gather(task, vectors, call.progress, want);
    if (got < want.size() && got == 0) {
      return call.progress > 0 ? Sent(task, call.progress) : SyscallResult(kEFAULT);
    }
    out.bytes = want.first(got);
    const auto sent = socket.SendMessage(out);
    if (!sent) return SendFailed(task, socket, out, sent.error(), call.progress);
    out.files.clear();
    call.progress += *sent;
    if (got < want.size() && *sent == got) break;
  } while (call.progress < total);
  return Sent(task, call.progress);
}

SyscallResult SendHeader(Task& task, net::Socket& socket, const abi::MessageHeader& header,
                         abi::Layout layout, std::uint32_t flags) {
  const auto vectors = ReadVectors(task, {header.vectors, layout}, header.vector_count);
  if (header.vector_count > kMostMessages) return kEMSGSIZE;
  if (!vectors) return vectors.error();
  net::RawAddress to;
  if (header.name != 0) {
    // Longer than any address: cut, as net/socket.c does it for this call.
    const auto size = std::min<std::int32_t>(header.name_bytes, net::kMaxAddressBytes);
    auto address = ReadAddress(task, header.name, size);
    if (!address) return address.error();
    to = std::move(*address);
  }
  TaskCaller caller(task);
  net::Outgoing out;
  out.to = to;
  out.flags = flags;
  out.sender = RealIds(task);
  out.caller = &caller;
  if (header.control_bytes != 0) {
    if (const auto ok = TakeControl(task, socket, header, layout, out); !ok) return ok.error();
    if (!out.files.empty()) task.kernel.network().Collect();
  }
  return SendVectors(task, socket, *vectors, out);
}

// --- receiving ---

// What came with the bytes of one receive.
struct Received {
  std::uint32_t flags = 0;  // of MessageFlag
  bool has_message = false;
  net::Ancillary ancillary;
  net::RawAddress source;
  net::Endpoint to;
  net::HeaderFields header;
};

void NoteMessage(net::Message& message, bool peeks, Received& out) {
  if (!out.has_message) {
    out.source = message.source;
    out.to = message.to;
    out.header = message.header;
    out.ancillary.sender = message.ancillary.sender;
    out.has_message = true;
  }
  auto& files = message.ancillary.files;
  if (peeks) {
    std::ranges::copy(files, std::back_inserter(out.ancillary.files));
  } else {
    std::ranges::move(files, std::back_inserter(out.ancillary.files));
    files.clear();
  }
}

// Copies `bytes` of what is next to the guest's buffers, from byte `at` of them on; returns how
// many got there. `take`: streams lose them.
std::size_t CopyToGuest(Task& task, net::Socket& socket, Vectors vectors, std::uint64_t at,
                        std::size_t offset, std::size_t bytes, bool take) {
  std::vector<std::byte> piece(std::min(bytes, kPieceBytes));
  std::size_t done = 0;
  while (done < bytes) {
    const auto part = std::span(piece).first(std::min(bytes - done, piece.size()));
    socket.Copy(take ? 0 : offset + done, part);
    const std::size_t moved = Scatter(task, vectors, at + done, part);
    if (take) socket.Take(moved);
    done += moved;
    if (moved < part.size()) break;
  }
  return done;
}

SyscallResult ReceiveMessage(Task& task, net::Socket& socket, Vectors vectors,
                             const net::ReceiveRequest& request, Received& out) {
  const auto next = socket.Next(request);
  const bool dont_wait = (request.flags & net::kMessageDontWait) != 0;
  if (!next) return WaitOrFail(task, next.error(), {dont_wait, socket.receive_timeout()});
  const bool peeks = (request.flags & net::kMessagePeek) != 0;
  if (next->message == nullptr) return 0;  // nothing more will come
  NoteMessage(*next->message, peeks, out);
  const std::size_t moved = CopyToGuest(task, socket, vectors, 0, 0, next->bytes, false);
  // A message is gone even where it could not be delivered, as on Linux.
  if (!peeks) socket.Take(next->bytes);
  if (moved < next->bytes) return kEFAULT;
  if (next->bytes < next->message_bytes) out.flags |= net::kMessageTruncated;
  task.kernel.SpendOnBytes(moved);
  const bool tells_all = (request.flags & net::kMessageTruncated) != 0;
  return static_cast<std::int64_t>(tells_all ? next->message_bytes : moved);
}

SyscallResult ReceiveStream(Task& task, net::Socket& socket, Vectors vectors,
                            net::ReceiveRequest request, Received& out) {
  CallInFlight& call = *task.call;
  const std::uint64_t total = TotalBytes(vectors);
  const bool peeks = (request.flags & net::kMessagePeek) != 0;
  const bool waits_for_all = (request.flags & net::kMessageWaitAll) != 0;
  const bool dont_wait = (request.flags & net::kMessageDontWait) != 0;
  // TCP throws bytes away where MSG_TRUNC is asked for: tcp(7).
  const bool discards =
      (request.flags & net::kMessageTruncated) != 0 && socket.family() != net::kFamilyUnix;
  for (;;) {
    request.bytes = static_cast<std::size_t>(total - call.progress);
    request.offset = peeks ? static_cast<std::size_t>(call.progress) : 0;
    const auto next = socket.Next(request);
    const auto done = static_cast<std::int64_t>(call.progress);
    if (!next) {
      return WaitOrFail(task, next.error(), {dont_wait, socket.receive_timeout(), kEAGAIN, done});
    }
    out.flags |= next->flags;
    if (next->urgent) {
      if (next->bytes > 0 && Scatter(task, vectors, 0, std::span(&*next->urgent, 1)) == 0)
        return kEFAULT;
      return static_cast<std::int64_t>(next->bytes);
    }
    if (next->message != nullptr) NoteMessage(*next->message, peeks, out);
    const bool more = next->more_may_follow && next->bytes > 0;
    std::size_t moved = next->bytes;
    if (discards) {
      if (!peeks) socket.Take(moved);
    } else {
      moved =
          CopyToGuest(task, socket, vectors, call.progress, request.offset, next->bytes, !peeks);
    }
    call.progress += moved;
    if (moved < next->bytes && call.progress == 0) return kEFAULT;
    if (moved < next->bytes || !more || !waits_for_all || call.progress >= total) break;
  }
  return Sent(task, call.progress);
}

SyscallResult ReceiveVectors(Task& task, net::Socket& socket, Vectors vectors, std::uint32_t flags,
                             Received& out) {
  // Errors of the network that were kept: there are none.
  if ((flags & net::kMessageErrorQueue) != 0) return kEAGAIN;
  net::ReceiveRequest request;
  request.flags = flags | (socket.nonblocking() ? std::uint32_t{net::kMessageDontWait} : 0u);
  request.bytes = static_cast<std::size_t>(TotalBytes(vectors));
  return socket.keeps_messages() ? ReceiveMessage(task, socket, vectors, request, out)
                                 : ReceiveStream(task, socket, vectors, request, out);
}

bool IsDone(const SyscallResult& result) { return result.kind() == SyscallResult::Kind::kValue; }
bool IsSuccess(const SyscallResult& result) { return IsDone(result) && result.value() >= 0; }

// Writes control messages into the guest's buffer as far as they fit: net/core/scm.c, put_cmsg.
class ControlWriter {
 public:
  ControlWriter(Task& task, const abi::MessageHeader& header, abi::Layout layout)
      : task_(task), layout_(layout), at_(header.control), room_(header.control_bytes) {}

  void Put(int level, int type, std::span<const std::byte> data) {
    const std::uint64_t head = ControlHeaderBytes(layout_);
    if (at_ == 0 || room_ < head) {
      truncated_ = true;
      return;
    }
    const std::uint64_t length = std::min<std::uint64_t>(head + data.size(), room_);
    truncated_ |= length < head + data.size();
    const auto part = data.first(static_cast<std::size_t>(length - head));
    if (!task_.memory().Write(Header(), {length, level, type}) ||
        !task_.memory().WriteBytes(at_ + head, part)) {
      return;
    }
    Advance(head + data.size());
  }

  // New descriptors for `files`, as many as there is room for.
  void PutFiles(const std::vector<std::shared_ptr<OpenFile>>& files, bool close_on_exec) {
    if (files.empty()) return;
    const std::uint64_t head = ControlHeaderBytes(layout_);
    const std::uint64_t fit = at_ == 0 || room_ < head ? 0 : (room_ - head) / sizeof(std::int32_t);
    std::uint64_t made = 0;
    for (; made < std::min<std::uint64_t>(fit, files.size()); ++made) {
      const auto fd = task_.fds().Add(files[static_cast<std::size_t>(made)], close_on_exec,
                                      task_.open_file_limit());
      if (!fd) break;
      if (!task_.memory().Write(GuestPtr<std::int32_t>{at_ + head} + made, *fd)) {
        task_.fds().Close(*fd);
        break;
      }
    }
    truncated_ |= made < files.size();
    if (made == 0) return;
    const std::uint64_t bytes = head + made * sizeof(std::int32_t);
    if (task_.memory().Write(Header(), {bytes, net::kLevelSocket, net::kControlRights}))
      Advance(bytes);
  }

  std::uint64_t written_bytes() const { return written_; }
  bool truncated() const { return truncated_; }

 private:
  GuestPtr<abi::ControlHeader> Header() const { return {at_, layout_}; }
  void Advance(std::uint64_t bytes) {
    const std::uint64_t step = std::min(Align(bytes, layout_), room_);
    at_ += step;
    room_ -= step;
    written_ += step;
  }

  Task& task_;
  abi::Layout layout_;
  GuestAddr at_;
  std::uint64_t room_;
  std::uint64_t written_ = 0;
  bool truncated_ = false;
};

template <typename T>
std::span<const std::byte> AsBytes(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// ip(7), ipv6(7): where a datagram was sent to, and what its header said.
void PutPacketInfo(const net::Socket& socket, const Received& received, ControlWriter& writer) {
  struct Info4 {
    std::int32_t index;
    std::uint32_t local, to;
  };
  struct Info6 {
    std::array<std::uint8_t, 16> to;
    std::uint32_t index;
  };
  const net::Options& options = socket.options();
  const net::IpAddress& to = received.to.address;
  const auto on = [&](int level, int number) { return options.IsOn(level, number); };
  if (to.is_v4()) {
    const std::uint32_t address = __builtin_bswap32(to.v4());
    if (on(net::kLevelIp, net::kIpPacketInfo))
      writer.Put(net::kLevelIp, net::kIpPacketInfo, AsBytes(Info4{1, address, address}));
    if (on(net::kLevelIp, net::kIpReceiveTtl))
      writer.Put(net::kLevelIp, net::kIpTtl, AsBytes(received.header.hops));
    if (on(net::kLevelIp, net::kIpReceiveTos)) {
      writer.Put(net::kLevelIp, net::kIpTos,
                 AsBytes(static_cast<std::uint8_t>(received.header.traffic_class)));
    }
  }
  if (socket.family() != net::kFamilyInet6) return;
  if (on(net::kLevelIpv6, net::kIpv6ReceivePacketInfo))
    writer.Put(net::kLevelIpv6, net::kIpv6PacketInfo, AsBytes(Info6{to.bytes(), 1}));
  // Only of packets of IPv6: net/ipv6/udp.c, udpv6_recvmsg.
  if (to.is_v4()) return;
  if (on(net::kLevelIpv6, net::kIpv6ReceiveHopLimit))
    writer.Put(net::kLevelIpv6, net::kIpv6HopLimit, AsBytes(received.header.hops));
  if (on(net::kLevelIpv6, net::kIpv6ReceiveTrafficClass))
    writer.Put(net::kLevelIpv6, net::kIpv6TrafficClass, AsBytes(received.header.traffic_class));
}

void PutControl(Task& task, const net::Socket& socket, Received& received, bool close_on_exec,
                ControlWriter& writer) {
  const net::Options& options = socket.options();
  if (socket.family() == net::kFamilyUnix) {
    if (received.has_message && options.IsOn(net::kLevelSocket, net::kPassCredentials)) {
      writer.Put(net::kLevelSocket, net::kControlCredentials, AsBytes(received.ancillary.sender));
    }
    writer.PutFiles(received.ancillary.files, close_on_exec);
    return;
  }
  constexpr int kTimestamp = 29, kTimestampNs = 35;
  const std::int64_t now = task.kernel.WallNanoseconds();
  constexpr std::int64_t kBillion = 1'000'000'000;
  const bool wide = !abi::IsI386(task.call->layout);
  const auto put_time = [&](int type, std::int64_t fraction) {
    if (!options.IsOn(net::kLevelSocket, type)) return;
    if (wide) {
      writer.Put(net::kLevelSocket, type, AsBytes(std::array{now / kBillion, fraction}));
    } else {
      writer.Put(net::kLevelSocket, type,
                 AsBytes(std::array{static_cast<std::int32_t>(now / kBillion),
                                    static_cast<std::int32_t>(fraction)}));
    }
  };
  if (!received.has_message) return;
  put_time(kTimestamp, now % kBillion / 1000);
  put_time(kTimestampNs, now % kBillion);
  if (socket.socket_type() == net::kDatagram) PutPacketInfo(socket, received, writer);
}

// recvmsg(2) once its header is read: what is written there goes to `header`.
SyscallResult ReceiveHeader(Task& task, net::Socket& socket, abi::MessageHeader& header,
                            abi::Layout layout, std::uint32_t flags) {
  if (header.vector_count > kMostMessages) return kEMSGSIZE;
  if (header.name_bytes < 0) return kEINVAL;
  const auto vectors = ReadVectors(task, {header.vectors, layout}, header.vector_count);
  if (!vectors) return vectors.error();
  Received received;
  const SyscallResult result = ReceiveVectors(task, socket, *vectors, flags, received);
  if (!IsSuccess(result)) return result;
  const auto room = static_cast<std::size_t>(header.name_bytes);
  if (header.name != 0) {
    const auto part = std::span(received.source).first(std::min(room, received.source.size()));
    if (!part.empty()) {
      if (const auto ok = task.memory().WriteBytes(header.name, part); !ok) return ok.error();
    }
    header.name_bytes = static_cast<std::int32_t>(received.source.size());
  }
  ControlWriter writer(task, header, layout);
  PutControl(task, socket, received, (flags & net::kMessageControlCloseOnExec) != 0, writer);
  header.control_bytes = writer.written_bytes();
  header.flags = received.flags | (flags & net::kMessageControlCloseOnExec);
  if (writer.truncated()) header.flags |= net::kMessageControlTruncated;
  if (socket.socket_type() == net::kSequentialPacket && result.value() > 0)
    header.flags |= net::kMessageEndOfRecord;
  return result;
}

// What recvmsg(2) changes of a header.
Result<void, Errno> WriteBack(Task& task, GuestPtr<abi::MessageHeader> pointer,
                              const abi::MessageHeader& now) {
  auto header = task.memory().Read(pointer);
  if (!header) return std::unexpected(header.error());
  if (header->name != 0) header->name_bytes = now.name_bytes;
  header->control_bytes = now.control_bytes;
  header->flags = now.flags;
  return task.memory().Write(pointer, *header);
}

}  // namespace

SyscallResult ReadSocket(Task& task, const std::shared_ptr<net::Socket>& socket, Vectors vectors) {
  // Nothing is asked for: not even whether something is there. net/socket.c, sock_read_iter.
  if (TotalBytes(vectors) == 0) return 0;
  Received received;
  return ReceiveVectors(task, *socket, vectors, 0, received);
}

SyscallResult WriteSocket(Task& task, const std::shared_ptr<net::Socket>& socket, Vectors vectors) {
  net::Outgoing out;
  out.sender = RealIds(task);
  return SendVectors(task, *socket, vectors, out);
}

SyscallResult SysSendto(Task& task, Fd fd, InBuffer buffer, Size size, MessageFlags flags,
                        InSocketAddress address, SocketLength address_bytes) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  net::RawAddress to;
  if (address.address != 0) {
    auto name = ReadAddress(task, address.address, address_bytes);
    if (!name) return name.error();
    to = std::move(*name);
  }
  TaskCaller caller(task);
  net::Outgoing out;
  out.to = to;
  out.flags = flags.value;
  out.sender = RealIds(task);
  out.caller = &caller;
  const abi::Iovec vector{buffer.address, size.value};
  return SendVectors(task, **socket, {&vector, 1}, out);
}

SyscallResult SysSendmsg(Task& task, Fd fd, InMessage message, MessageFlags flags) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  const auto header = task.memory().Read(message.header);
  if (!header) return header.error();
  return SendHeader(task, **socket, *header, message.header.layout, flags.value);
}

SyscallResult SysSendmmsg(Task& task, Fd fd, GuestPtr<abi::CountedMessage> messages,
                          std::uint32_t count, MessageFlags flags) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  CallInFlight& call = *task.call;
  if (!call.total) call.total = 0;  // messages that are sent
  count = std::min(count, static_cast<std::uint32_t>(kMostMessages));
  while (*call.total < count) {
    const auto pointer = messages + *call.total;
    auto message = task.memory().Read(pointer);
    SyscallResult result = kEFAULT;
    if (message) {
      result = SendHeader(task, **socket, message->header, pointer.layout, flags.value);
      if (!IsDone(result)) return result;
      call.progress = 0;
      if (IsSuccess(result)) {
        message->bytes = static_cast<std::uint32_t>(result.value());
        if (!task.memory().Write(pointer, *message)) result = kEFAULT;
      }
    }
    if (!IsSuccess(result)) {
      if (*call.total == 0) return result;
      break;
    }
    ++*call.total;
  }
  return static_cast<std::int64_t>(*call.total);
}

SyscallResult SysRecvfrom(Task& task, Fd fd, OutBuffer buffer, Size size, MessageFlags flags,
                          OutSocketAddress address, GuestPtr<SocketLength> address_bytes) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  Received received;
  const abi::Iovec vector{buffer.address, size.value};
  const SyscallResult result = ReceiveVectors(task, **socket, {&vector, 1}, flags.value, received);
  if (IsSuccess(result) && address.address != 0) {
    if (const auto ok = WriteAddress(task, received.source, address.address, address_bytes); !ok)
      return ok.error();
  }
  return result;
}

SyscallResult SysRecvmsg(Task& task, Fd fd, OutMessage message, MessageFlags flags) {
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  auto header = task.memory().Read(message.header);
  if (!header) return header.error();
  const SyscallResult result =
      ReceiveHeader(task, **socket, *header, message.header.layout, flags.value);
  if (IsSuccess(result)) {
    if (const auto ok = WriteBack(task, message.header, *header); !ok) return ok.error();
  }
  return result;
}

SyscallResult SysRecvmmsg(Task& task, Fd fd, GuestPtr<abi::CountedMessage> messages,
                          std::uint32_t count, MessageFlags flags,
                          GuestPtr<abi::Timespec> timeout) {
  constexpr std::int64_t kBillion = 1'000'000'000;
  const auto socket = SocketOf(task, fd);
  if (!socket) return socket.error();
  CallInFlight& call = *task.call;
  Nanoseconds end = kNever;
  if (timeout) {
    const auto time = task.memory().Read(timeout);
    if (!time) return time.error();
    if (time->seconds < 0 || time->nanoseconds < 0 || time->nanoseconds >= kBillion) return kEINVAL;
    end = call.began +
          static_cast<Nanoseconds>(std::min<std::int64_t>(time->seconds, 4'000'000'000) * kBillion +
                                   time->nanoseconds);
  }
  if (!call.total) call.total = 0;  // messages that have come
  count = std::min(count, static_cast<std::uint32_t>(kMostMessages));
  while (*call.total < count) {
    const auto pointer = messages + *call.total;
    std::uint32_t now_flags = flags.value & ~static_cast<std::uint32_t>(net::kMessageWaitForOne);
    if ((flags.value & net::kMessageWaitForOne) != 0 && *call.total > 0)
      now_flags |= net::kMessageDontWait;
    auto message = task.memory().Read(pointer);
    SyscallResult result = kEFAULT;
    if (message) {
      abi::MessageHeader header = message->header;
      result = ReceiveHeader(task, **socket, header, pointer.layout, now_flags);
      // A wait that is interrupted is over with what there is.
      if (result.kind() == SyscallResult::Kind::kBlocked) {
        BlockOn block = result.block();
        block.partial = static_cast<std::int64_t>(*call.total);
        return SyscallResult::Block(block);
      }
      call.progress = 0;
      if (IsSuccess(result)) {
        if (message->header.name != 0) message->header.name_bytes = header.name_bytes;
        message->header.control_bytes = header.control_bytes;
        message->header.flags = header.flags;
        message->bytes = static_cast<std::uint32_t>(result.value());
        if (!task.memory().Write(pointer, *message)) result = kEFAULT;
      }
    }
    if (!IsSuccess(result)) {
      if (*call.total == 0) return result;
      break;
    }
    ++*call.total;
    // recvmmsg(2), "Bugs": the time is looked at only when a message has come.
    if (task.kernel.Now() >= end) break;
  }
  return static_cast<std::int64_t>(*call.total);
}

}  // namespace glovebox::engine
