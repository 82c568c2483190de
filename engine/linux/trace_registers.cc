#include "engine/linux/trace_registers.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/linux/abi/float_frame.h"
#include "engine/linux/legacy_float.h"

namespace glovebox::engine::ptrace {
namespace {

using abi::AbiId;

// One word of user_regs_struct.
struct Word {
  enum class Kind : std::uint8_t { kGpr, kOriginal, kIp, kFlags, kSelector, kFsBase, kGsBase };
  Kind kind;
  std::uint8_t index = 0;  // a Gpr or a SegmentRegister
};
using Kind = Word::Kind;

constexpr Word kWords64[] = {{Kind::kGpr, x86::kR15},
                             {Kind::kGpr, x86::kR14},
                             {Kind::kGpr, x86::kR13},
                             {Kind::kGpr, x86::kR12},
                             {Kind::kGpr, x86::kRbp},
                             {Kind::kGpr, x86::kRbx},
                             {Kind::kGpr, x86::kR11},
                             {Kind::kGpr, x86::kR10},
                             {Kind::kGpr, x86::kR9},
                             {Kind::kGpr, x86::kR8},
                             {Kind::kGpr, x86::kRax},
                             {Kind::kGpr, x86::kRcx},
                             {Kind::kGpr, x86::kRdx},
                             {Kind::kGpr, x86::kRsi},
                             {Kind::kGpr, x86::kRdi},
                             {Kind::kOriginal},
                             {Kind::kIp},
                             {Kind::kSelector, x86::kCs},
                             {Kind::kFlags},
                             {Kind::kGpr, x86::kRsp},
                             {Kind::kSelector, x86::kSs},
                             {Kind::kFsBase},
                             {Kind::kGsBase},
                             {Kind::kSelector, x86::kDs},
                             {Kind::kSelector, x86::kEs},
                             {Kind::kSelector, x86::kFs},
                             {Kind::kSelector, x86::kGs}};
constexpr Word kWords32[] = {{Kind::kGpr, x86::kRbx},
                             {Kind::kGpr, x86::kRcx},
                             {Kind::kGpr, x86::kRdx},
                             {Kind::kGpr, x86::kRsi},
                             {Kind::kGpr, x86::kRdi},
                             {Kind::kGpr, x86::kRbp},
                             {Kind::kGpr, x86::kRax},
                             {Kind::kSelector, x86::kDs},
                             {Kind::kSelector, x86::kEs},
                             {Kind::kSelector, x86::kFs},
                             {Kind::kSelector, x86::kGs},
                             {Kind::kOriginal},
                             {Kind::kIp},
                             {Kind::kSelector, x86::kCs},
                             {Kind::kFlags},
                             {Kind::kGpr, x86::kRsp},
                             {Kind::kSelector, x86::kSs}};

std::span<const Word> WordsOf(AbiId abi) {
  return abi == AbiId::kI386 ? std::span<const Word>(kWords32) : std::span<const Word>(kWords64);
}
std::size_t BytesOfWord(AbiId abi) { return abi == AbiId::kI386 ? 4 : 8; }

std::uint64_t ReadWord(const Task& task, const Word& word, const x86::Registers& registers) {
  switch (word.kind) {
    case Kind::kGpr:
      return registers.gpr[word.index];
    case Kind::kOriginal:
      return static_cast<std::uint64_t>(task.tracing->original);
    case Kind::kIp:
      return registers.rip;
    case Kind::kFlags:
      return registers.rflags;
    case Kind::kSelector:
      return task.program->cpu->selector(static_cast<x86::SegmentRegister>(word.index));
    case Kind::kFsBase:
      return registers.fs_base;
    case Kind::kGsBase:
      return registers.gs_base;
  }
  return 0;
}

// Selectors of user mode, null ones but for code and stack: invalid_selector, set_segment_reg.
bool WriteSelector(x86::Vcpu& cpu, x86::SegmentRegister reg, std::uint64_t value) {
  constexpr std::uint64_t kUserPrivilege = 3;
  const auto selector = static_cast<std::uint16_t>(value);
  if (selector == cpu.selector(reg)) return true;
  if (selector != 0 && (selector & kUserPrivilege) != kUserPrivilege) return false;
  if (selector == 0 && (reg == x86::kCs || reg == x86::kSs)) return false;
  return cpu.LoadSegment(reg, selector);
}

bool WriteWord(Task& task, const Word& word, AbiId abi, std::uint64_t value) {
  x86::Vcpu& cpu = task.cpu();
  x86::Registers registers = cpu.Get();
  // What the kernel takes for a base: TASK_SIZE_MAX.
  constexpr std::uint64_t kAddressEnd = 0x7fff'ffff'f000;
  switch (word.kind) {
    case Kind::kGpr:
      cpu.SetGpr(static_cast<x86::Gpr>(word.index), value);
      return true;
    case Kind::kOriginal:
      task.tracing->original =
          abi == AbiId::kI386 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
      return true;
    case Kind::kIp:
      if (value != registers.rip) cpu.SetRip(value);
      return true;
    case Kind::kFlags:
      registers.rflags = value;
      break;
    case Kind::kSelector:
      return WriteSelector(cpu, static_cast<x86::SegmentRegister>(word.index), value);
    case Kind::kFsBase:
    case Kind::kGsBase:
      if (value >= kAddressEnd) return false;
      (word.kind == Kind::kFsBase ? registers.fs_base : registers.gs_base) = value;
      break;
  }
  cpu.Set(registers);
  return true;
}

template <typename T>
std::vector<std::byte> BytesOf(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

// Of LegacyFloat, without what only signal frames have.
constexpr std::size_t kLegacyBytes = offsetof(abi::i386::LegacyFloat, status_again);

std::vector<std::byte> ReadGeneral(Task& task, AbiId abi) {
  const x86::Registers registers = task.cpu().Get();
  std::vector<std::byte> bytes(GeneralBytes(abi));
  std::size_t at = 0;
  for (const Word& word : WordsOf(abi)) {
    const std::uint64_t value = ReadWord(task, word, registers);
    std::memcpy(&bytes[at], &value, BytesOfWord(abi));
    at += BytesOfWord(abi);
  }
  return bytes;
}

std::vector<std::byte> ReadXstate(Task& task) {
  x86::XsaveArea area;
  task.cpu().SaveXstate(area);
  // Where debuggers look for what the image holds: xstate_fx_sw_bytes.
  const std::uint64_t features = abi::kXsaveFeatures;
  std::memcpy(&area[abi::kFloatMarksOffset], &features, sizeof features);
  return {area.begin(), area.end()};
}

Result<void, Errno> WriteXstate(Task& task, std::span<const std::byte> bytes) {
  x86::XsaveArea area;
  if (bytes.size() < area.size()) return std::unexpected(kEFAULT);
  std::memcpy(area.data(), bytes.data(), area.size());
  if (!task.cpu().RestoreXstate(area, abi::kXsaveFeatures)) return std::unexpected(kEINVAL);
  return {};
}

// The first bytes of a set of a fixed form.
template <typename T>
void Overlay(T& value, std::size_t size, std::span<const std::byte> bytes) {
  std::memcpy(static_cast<void*>(&value), bytes.data(), std::min(size, bytes.size()));
}

Result<void, Errno> WriteFxsave(Task& task, std::span<const std::byte> bytes) {
  x86::FxsaveArea fx;
  task.cpu().SaveFx(fx);
  Overlay(fx, sizeof fx, bytes);
  if (!task.cpu().RestoreFx(fx)) return std::unexpected(kEINVAL);
  return {};
}

Result<void, Errno> WriteLegacy(Task& task, std::span<const std::byte> bytes) {
  x86::FxsaveArea fx;
  task.cpu().SaveFx(fx);
  abi::i386::LegacyFloat legacy = LegacyOf(fx);
  Overlay(legacy, kLegacyBytes, bytes);
  TakeLegacy(legacy, fx);
  task.cpu().RestoreFx(fx);  // its own MXCSR is no wrong one
  return {};
}

}  // namespace

std::size_t GeneralBytes(AbiId abi) { return WordsOf(abi).size() * BytesOfWord(abi); }

std::optional<std::uint64_t> ReadGeneralWord(Task& task, AbiId abi, std::uint64_t offset) {
  const std::uint64_t index = offset / BytesOfWord(abi);
  if (index >= WordsOf(abi).size()) return std::nullopt;
  const std::uint64_t value =
      ReadWord(task, WordsOf(abi)[static_cast<std::size_t>(index)], task.cpu().Get());
  return abi == AbiId::kI386 ? value & 0xffffffff : value;
}

bool WriteGeneralWord(Task& task, AbiId abi, std::uint64_t offset, std::uint64_t value) {
  const std::uint64_t index = offset / BytesOfWord(abi);
  return index < WordsOf(abi).size() &&
         WriteWord(task, WordsOf(abi)[static_cast<std::size_t>(index)], abi, value);
}

std::vector<std::byte> ReadSet(Task& task, RegisterSet set, AbiId abi) {
  x86::FxsaveArea fx;
  switch (set) {
    case RegisterSet::kGeneral:
      return ReadGeneral(task, abi);
    case RegisterSet::kXstate:
      return ReadXstate(task);
    case RegisterSet::kFxsave:
      if (abi != AbiId::kI386) return {};
      break;
    case RegisterSet::kFloat:
      if (abi != AbiId::kI386) break;
      task.cpu().SaveFx(fx);
      std::vector<std::byte> legacy = BytesOf(LegacyOf(fx));
      legacy.resize(kLegacyBytes);
      return legacy;
  }
  task.cpu().SaveFx(fx);
  return BytesOf(fx);
}

Result<void, Errno> WriteSet(Task& task, RegisterSet set, AbiId abi,
                             std::span<const std::byte> bytes) {
  switch (set) {
    case RegisterSet::kGeneral:
      for (std::size_t at = 0; at + BytesOfWord(abi) <= bytes.size(); at += BytesOfWord(abi)) {
        std::uint64_t value = 0;
        std::memcpy(&value, &bytes[at], BytesOfWord(abi));
        if (!WriteGeneralWord(task, abi, at, value)) return std::unexpected(kEIO);
      }
      return {};
    case RegisterSet::kXstate:
      return WriteXstate(task, bytes);
    case RegisterSet::kFxsave:
      if (abi != AbiId::kI386) return std::unexpected(kEINVAL);
      return WriteFxsave(task, bytes);
    case RegisterSet::kFloat:
      return abi == AbiId::kI386 ? WriteLegacy(task, bytes) : WriteFxsave(task, bytes);
  }
  return std::unexpected(kEINVAL);
}

}  // namespace glovebox::engine::ptrace
