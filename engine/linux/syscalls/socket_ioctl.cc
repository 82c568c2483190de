// ioctl(2) on sockets: netdevice(7), "Ioctls", and socket(7).
#include <algorithm>
#include <array>
#include <cstring>

#include "engine/linux/syscalls/sockets.h"
#include "engine/net/interfaces.h"

namespace glovebox::engine {
namespace {

using net::Loopback;

enum Request : std::uint32_t {
  kOutQueue = 0x5411,  // SIOCOUTQ
  kAtMark = 0x8905,
  kTimestamp = 0x8906,
  kTimestampNs = 0x8907,
  kGetName = 0x8910,
  kGetList = 0x8912,
  kFirstDevice = 0x8910,
  kLastDevice = 0x89ff,
  kGetIndex = 0x8933,
  kEthtool = 0x8946,
};

using Value = std::array<std::byte, 24>;

template <typename T>
Value ValueFrom(const T& from) {
  Value value{};
  std::memcpy(value.data(), &from, sizeof(from));
  return value;
}

Value AddressFrom(std::uint32_t address) {
  Value value{};
  const auto raw = net::EncodeEndpoint({net::IpAddress::V4(address), 0, 0, 0}, net::kFamilyInet);
  std::ranges::copy(raw, value.begin());
  return value;
}

// What is asked of an interface by its name.
struct DeviceRow {
  std::uint32_t request;
  Value (*value)();
};
constexpr DeviceRow kDeviceRequests[] = {
    {0x8913, [] { return ValueFrom(static_cast<std::int16_t>(Loopback::kFlags)); }},
    {0x8915, [] { return AddressFrom(Loopback::kAddress); }},
    {0x8917, [] { return AddressFrom(Loopback::kAddress); }},  // SIOCGIFDSTADDR
    {0x8919, [] { return AddressFrom(0); }},                   // SIOCGIFBRDADDR
    {0x891b, [] { return AddressFrom(Loopback::kNetmask); }},
    {0x891d, [] { return ValueFrom(std::int32_t{0}); }},  // SIOCGIFMETRIC
    {0x8921, [] { return ValueFrom(Loopback::kMtu); }},
    {0x8927, [] { return ValueFrom(Loopback::kHardwareType); }},  // SIOCGIFHWADDR: all zero
    {kGetIndex, [] { return ValueFrom(Loopback::kIndex); }},
    {0x8942, [] { return ValueFrom(Loopback::kQueueLength); }},
    {0x8970, [] { return Value{}; }},  // SIOCGIFMAP
};

bool IsLoopback(const std::array<char, 16>& name) {
  return std::string_view(name.data(), strnlen(name.data(), name.size())) == Loopback::kName;
}

void SetName(abi::InterfaceRequest& row) {
  row.name = {};
  std::ranges::copy(Loopback::kName, row.name.begin());
}

SyscallResult ListInterfaces(Task& task, GuestAddr argument, abi::Layout layout) {
  const GuestPtr<abi::InterfaceList> pointer{argument, layout};
  auto list = task.memory().Read(pointer);
  if (!list) return list.error();
  const auto row_bytes = static_cast<std::int32_t>(abi::StoredBytes<abi::InterfaceRequest>(layout));
  std::int32_t bytes = row_bytes;
  if (list->buffer != 0) {
    bytes = list->bytes >= row_bytes ? row_bytes : 0;
    if (bytes > 0) {
      abi::InterfaceRequest row{};
      SetName(row);
      row.value = AddressFrom(Loopback::kAddress);
      const GuestPtr<abi::InterfaceRequest> out{list->buffer, layout};
      if (const auto ok = task.memory().Write(out, row); !ok) return ok.error();
    }
  }
  list->bytes = bytes;
  return FromResult(task.memory().Write(pointer, *list));
}

SyscallResult AskDevice(Task& task, std::uint32_t request, GuestAddr argument, abi::Layout layout) {
  const GuestPtr<abi::InterfaceRequest> pointer{argument, layout};
  auto row = task.memory().Read(pointer);
  if (!row) return row.error();
  if (request == kGetName) {
    std::uint32_t index = 0;
    std::memcpy(&index, row->value.data(), sizeof(index));
    if (index != Loopback::kIndex) return kENODEV;
    SetName(*row);
    return FromResult(task.memory().Write(pointer, *row));
  }
  const auto* const found = std::ranges::find(kDeviceRequests, request, &DeviceRow::request);
  if (found == std::end(kDeviceRequests)) {
    // The others set something up, which needs CAP_NET_ADMIN; ethtool knows nothing of `lo`.
    return request == kEthtool ? kEOPNOTSUPP : kEPERM;
  }
  if (!IsLoopback(row->name)) return kENODEV;
  row->value = found->value();
  return FromResult(task.memory().Write(pointer, *row));
}

}  // namespace

SyscallResult SocketIoctl(Task& task, net::Socket& socket, std::uint32_t request,
                          GuestAddr argument) {
  const abi::Layout layout = task.call->layout;
  const GuestPtr<std::int32_t> number{argument};
  switch (request) {
    case kOutQueue:
      return FromResult(
          task.memory().Write(number, static_cast<std::int32_t>(socket.UnreadByPeer())));
    case kAtMark: {
      const auto at = socket.AtMark();
      return at ? FromResult(task.memory().Write(number, *at ? 1 : 0)) : SyscallResult(at.error());
    }
    case kTimestamp:
    case kTimestampNs:
      return kENOENT;  // no packet has been stamped: socket(7), SIOCGSTAMP
    case kGetList:
      return ListInterfaces(task, argument, layout);
    default:
      break;
  }
  if (request < kFirstDevice || request > kLastDevice) return kENOTTY;
  return AskDevice(task, request, argument, layout);
}

}  // namespace glovebox::engine
