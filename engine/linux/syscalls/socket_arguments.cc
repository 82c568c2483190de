#include "engine/linux/syscalls/socket_arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/net/address.h"
#include "engine/net/options.h"

namespace glovebox::engine {
namespace {

std::string PrintIp(const net::IpAddress& address) {
  const auto& b = address.bytes();
  if (address.is_v4()) return fmt::format("{}.{}.{}.{}", b[12], b[13], b[14], b[15]);
  std::string text;
  for (std::size_t i = 0; i < b.size(); i += 2)
    text += fmt::format("{}{:x}", i == 0 ? "" : ":", b[i] << 8 | b[i + 1]);
  return text;
}

std::string PrintInet(net::RawAddressView address, net::Family family) {
  const auto endpoint = net::ParseEndpoint(address, family);
  if (!endpoint) return {};
  if (family == net::kFamilyInet) {
    return fmt::format("{{sa_family=AF_INET, sin_port=htons({}), sin_addr=inet_addr(\"{}\")}}",
                       endpoint->port, PrintIp(endpoint->address));
  }
  return fmt::format(
      "{{sa_family=AF_INET6, sin6_port=htons({}), sin6_addr=\"{}\", "
      "sin6_scope_id={}}}",
      endpoint->port, PrintIp(endpoint->address), endpoint->scope_id);
}

std::string PrintAddress(net::RawAddressView address) {
  switch (net::FamilyOf(address)) {
    case net::kFamilyInet:
      return PrintInet(address, net::kFamilyInet);
    case net::kFamilyInet6:
      return PrintInet(address, net::kFamilyInet6);
    case net::kFamilyUnix: {
      const auto name = net::ParseUnixName(address);
      if (!name) return {};
      if (name->empty()) return "{sa_family=AF_UNIX}";
      if (net::IsAbstract(*name))
        return fmt::format("{{sa_family=AF_UNIX, sun_path=@{}}}", PrintText(name->substr(1)));
      return fmt::format("{{sa_family=AF_UNIX, sun_path={}}}", PrintText(*name));
    }
    case net::kFamilyNetlink: {
      const auto name = net::ParseNetlinkName(address);
      if (!name) return {};
      return fmt::format("{{sa_family=AF_NETLINK, nl_pid={}, nl_groups={:08x}}}", name->port,
                         name->groups);
    }
    default:
      return fmt::format("{{sa_family={:#x}}}", net::FamilyOf(address));
  }
}

}  // namespace

std::string PrintOptionName(int level, int number) {
  const std::string_view name = net::OptionName(level, number);
  return name.empty() ? std::to_string(number) : std::string(name);
}

std::string PrintSocketAddress(const PrintContext& context, GuestAddr address, std::uint64_t size) {
  if (address == 0) return "NULL";
  net::RawAddress bytes(
      static_cast<std::size_t>(std::min<std::uint64_t>(size, net::kMaxAddressBytes)));
  GuestMemory memory(context.memory);
  if (bytes.empty() || !memory.ReadBytes(address, bytes)) return PrintHex(address);
  const std::string text = PrintAddress(bytes);
  return text.empty() ? PrintHex(address) : text;
}

std::string PrintMessage(const PrintContext& context, GuestPtr<const abi::MessageHeader> header,
                         bool received) {
  if (!header) return "NULL";
  GuestMemory memory(context.memory);
  const auto message = memory.Read(header);
  if (!message) return PrintHex(header.address);
  const auto name_bytes = static_cast<std::uint64_t>(std::max(message->name_bytes, 0));
  std::string text = fmt::format(
      "{{msg_name={}, msg_namelen={}, msg_iov={}, msg_iovlen={}, msg_control={}, "
      "msg_controllen={}, msg_flags={}}}",
      PrintSocketAddress(context, message->name, name_bytes), message->name_bytes,
      PrintVectors(context, {message->vectors, header.layout}, message->vector_count, true),
      message->vector_count, PrintHex(message->control), message->control_bytes,
      received ? PrintBits(message->flags, kMessageNames, std::size(kMessageNames)) : "0");
  return text;
}

}  // namespace glovebox::engine
