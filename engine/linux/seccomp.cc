#include "engine/linux/seccomp.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace glovebox::engine {
namespace {

constexpr std::size_t kMemoryWords = 16;

// uapi/linux/bpf_common.h: class in the low three bits, then operand or size, then the operation.
enum Code : std::uint16_t {
  kLoadImmediate = 0x00,
  kLoadXImmediate = 0x01,
  kStore = 0x02,
  kStoreX = 0x03,
  kLoadData = 0x20,
  kLoadMemory = 0x60,
  kLoadXMemory = 0x61,
  kLoadLength = 0x80,
  kLoadXLength = 0x81,
  kJumpAlways = 0x05,
  kReturn = 0x06,
  kReturnA = 0x16,
  kTax = 0x07,
  kTxa = 0x87,
  kNegate = 0x84,
};
constexpr std::uint16_t kClassMask = 7, kArithmetic = 4, kJump = 5, kOperandX = 8;
enum Operation : std::uint16_t {
  kAdd = 0x00,
  kSubtract = 0x10,
  kMultiply = 0x20,
  kDivide = 0x30,
  kOr = 0x40,
  kAnd = 0x50,
  kShiftLeft = 0x60,
  kShiftRight = 0x70,
  kXor = 0xa0,
  kJumpEqual = 0x10,
  kJumpGreater = 0x20,
  kJumpGreaterOrEqual = 0x30,
  kJumpSet = 0x40,
};
constexpr std::uint16_t kOperationMask = 0xf0;

// What seccomp lets programs do, without arithmetic and conditional jumps.
constexpr std::uint16_t kOthers[] = {
    kLoadImmediate, kLoadXImmediate, kStore,      kStoreX,      kLoadData,
    kLoadMemory,    kLoadXMemory,    kLoadLength, kLoadXLength, kJumpAlways,
    kReturn,        kReturnA,        kTax,        kTxa,         kNegate};
constexpr std::uint16_t kArithmetics[] = {kAdd, kSubtract,  kMultiply,   kDivide, kOr,
                                          kAnd, kShiftLeft, kShiftRight, kXor};
constexpr std::uint16_t kJumps[] = {kJumpEqual, kJumpGreater, kJumpGreaterOrEqual, kJumpSet};

bool IsBinary(std::uint16_t code) {
  return (code & kClassMask) == kArithmetic && code != kNegate &&
         std::ranges::find(kArithmetics, code & kOperationMask) != std::end(kArithmetics) &&
         (code & ~(kClassMask | kOperandX | kOperationMask)) == 0;
}
bool IsConditional(std::uint16_t code) {
  return (code & kClassMask) == kJump &&
         std::ranges::find(kJumps, code & kOperationMask) != std::end(kJumps) &&
         (code & ~(kClassMask | kOperandX | kOperationMask)) == 0;
}

// Is the one instruction right? `left`: how many follow it.
bool IsSound(const BpfInstruction& in, std::size_t left) {
  const bool by_constant = (in.code & kOperandX) == 0;
  const auto operation = static_cast<std::uint16_t>(in.code & kOperationMask);
  if (IsConditional(in.code)) return in.if_true < left && in.if_false < left;
  if (IsBinary(in.code)) {
    if (operation == kDivide && by_constant) return in.k != 0;
    if ((operation == kShiftLeft || operation == kShiftRight) && by_constant) return in.k < 32;
    return true;
  }
  if (std::ranges::find(kOthers, in.code) == std::end(kOthers)) return false;
  switch (in.code) {
    case kLoadData:
      return in.k % 4 == 0 && in.k < sizeof(SeccompData);
    case kLoadMemory:
    case kLoadXMemory:
    case kStore:
    case kStoreX:
      return in.k < kMemoryWords;
    case kJumpAlways:
      return in.k < left;
    default:
      return true;
  }
}

// Is each word of memory written before it is read, whichever way is taken? Jumps lead forwards
// alone: check_load_and_stores.
bool WritesBeforeReading(std::span<const BpfInstruction> program) {
  constexpr std::uint16_t kAll = 0xffff;
  std::vector<std::uint16_t> written(program.size(), kAll);  // on each way to the instruction
  std::uint16_t now = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const BpfInstruction& in = program[at];
    now &= written[at];
    const auto reach = [&](std::size_t distance) { written[at + 1 + distance] &= now; };
    if (in.code == kStore || in.code == kStoreX) {
      now = static_cast<std::uint16_t>(now | 1u << in.k);
    } else if (in.code == kLoadMemory || in.code == kLoadXMemory) {
      if ((now >> in.k & 1) == 0) return false;
    } else if (in.code == kJumpAlways) {
      reach(in.k);
      now = kAll;
    } else if (IsConditional(in.code)) {
      reach(in.if_true);
      reach(in.if_false);
      now = kAll;
    }
  }
  return true;
}

std::uint32_t Compute(std::uint16_t operation, std::uint32_t a, std::uint32_t b) {
  switch (operation) {
    case kAdd:
      return a + b;
    case kSubtract:
      return a - b;
    case kMultiply:
      return a * b;
    case kDivide:
      return a / b;
    case kOr:
      return a | b;
    case kAnd:
      return a & b;
    case kShiftLeft:
      return a << (b & 31);
    case kShiftRight:
      return a >> (b & 31);
    default:
      return a ^ b;
  }
}

bool Holds(std::uint16_t operation, std::uint32_t a, std::uint32_t b) {
  switch (operation) {
    case kJumpEqual:
      return a == b;
    case kJumpGreater:
      return a > b;
    case kJumpGreaterOrEqual:
      return a >= b;
    default:
      return (a & b) != 0;
  }
}

}  // namespace

bool IsSeccompProgram(std::span<const BpfInstruction> program) {
  if (program.empty() || program.size() > kMaxBpfInstructions) return false;
  for (std::size_t at = 0; at < program.size(); ++at) {
    if (!IsSound(program[at], program.size() - at - 1)) return false;
  }
  const std::uint16_t last = program.back().code;
  return (last == kReturn || last == kReturnA) && WritesBeforeReading(program);
}

std::uint32_t RunSeccompProgram(std::span<const BpfInstruction> program, const SeccompData& data) {
  std::array<std::uint32_t, sizeof(SeccompData) / 4> words;
  std::memcpy(words.data(), &data, sizeof data);
  std::array<std::uint32_t, kMemoryWords> memory{};
  std::uint32_t a = 0, x = 0;
  // Jumps lead forwards, and the last instruction returns.
  for (std::size_t at = 0;; ++at) {
    const BpfInstruction& in = program[at];
    const std::uint32_t operand = (in.code & kOperandX) != 0 ? x : in.k;
    const auto operation = static_cast<std::uint16_t>(in.code & kOperationMask);
    if (IsConditional(in.code)) {
      at += Holds(operation, a, operand) ? in.if_true : in.if_false;
      continue;
    }
    if (IsBinary(in.code)) {
      if (operation == kDivide && operand == 0) return 0;
      a = Compute(operation, a, operand);
      continue;
    }
    switch (in.code) {
      case kLoadImmediate:
        a = in.k;
        break;
      case kLoadXImmediate:
        x = in.k;
        break;
      case kLoadData:
        a = words[in.k / 4];
        break;
      case kLoadMemory:
        a = memory[in.k];
        break;
      case kLoadXMemory:
        x = memory[in.k];
        break;
      case kLoadLength:
        a = sizeof(SeccompData);
        break;
      case kLoadXLength:
        x = sizeof(SeccompData);
        break;
      case kStore:
        memory[in.k] = a;
        break;
      case kStoreX:
        memory[in.k] = x;
        break;
      case kJumpAlways:
        at += in.k;
        break;
      case kTax:
        x = a;
        break;
      case kTxa:
        a = x;
        break;
      case kNegate:
        a = 0 - a;
        break;
      case kReturn:
        return in.k;
      default:
        return a;
    }
  }
}

// The newest first; of equal actions the newest's data counts. Actions are ordered as signed
// numbers.
std::uint32_t RunSeccomp(const SeccompFilter& filter, const SeccompData& data) {
  std::uint32_t answer = kSeccompAllow;
  const auto rank = [](std::uint32_t value) {
    return static_cast<std::int32_t>(value & kSeccompActionMask);
  };
  for (const SeccompFilter* at = &filter; at != nullptr; at = at->below.get()) {
    if (at->strict) continue;
    const std::uint32_t one = RunSeccompProgram(at->program, data);
    if (rank(one) < rank(answer)) answer = one;
  }
  return answer;
}

}  // namespace glovebox::engine
