// Which member of the union in siginfo_t holds something.
#pragma once

#include <cstdint>

namespace glovebox::engine::abi {

enum class SiginfoMember : std::uint8_t { kSender, kFault, kTimer, kChild, kPoll, kSystem };

SiginfoMember MemberOf(std::int32_t signal, std::int32_t code);

}  // namespace glovebox::engine::abi
