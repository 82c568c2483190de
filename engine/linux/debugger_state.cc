// What a debugger sees of threads and processes, and changes of them.
#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "engine/linux/abi/i386_signal.h"
#include "engine/linux/call.h"
#include "engine/linux/debugger.h"
#include "engine/linux/trace_registers.h"

namespace glovebox::engine {
namespace {

ptrace::RegisterSet SetOfRegisters(DebugRegisterSet set) {
  constexpr ptrace::RegisterSet kSets[] = {
      ptrace::RegisterSet::kGeneral, ptrace::RegisterSet::kXstate, ptrace::RegisterSet::kFloat,
      ptrace::RegisterSet::kFxsave};
  return kSets[static_cast<std::size_t>(set)];
}

// Where user_regs_struct of the ABI has the two that say what becomes of a call: in words.
struct CallWords {
  std::size_t result, original, word_bytes;
};
std::vector<std::byte> Encode(const Task& task, const abi::Siginfo& info) {
  std::vector<std::byte> bytes(sizeof info);
  if (task.program->abi == abi::AbiId::kI386) {
    abi::i386::Siginfo narrow;
    static_assert(sizeof narrow == sizeof info);
    abi::i386::Encode(info, narrow);
    std::memcpy(bytes.data(), &narrow, sizeof narrow);
  } else {
    std::memcpy(bytes.data(), &info, sizeof info);
  }
  return bytes;
}

CallWords WordsOf(abi::AbiId abi) {
  return abi == abi::AbiId::kI386 ? CallWords{6, 11, 4} : CallWords{10, 15, 8};
}

}  // namespace

// A thread in the middle of a call shows that it would be made again, as on Linux, where whoever
// looks has interrupted it. Nothing has: it goes on waiting, unless its registers are changed.
Result<std::vector<std::byte>, Errno> Debugger::ReadRegisters(ThreadId id, DebugRegisterSet set) {
  const auto task = Stopped(id);
  if (!task) return std::unexpected(task.error());
  (*task)->TakeCpu();
  const abi::AbiId abi = (*task)->program->abi;
  auto bytes = ptrace::ReadSet(**task, SetOfRegisters(set), abi);
  if (set == DebugRegisterSet::kGeneral && (*task)->call) {
    const CallWords words = WordsOf(abi);
    const std::int64_t again = kRestartIfAskedCode;
    const auto number = static_cast<std::int64_t>((*task)->call->number);
    std::memcpy(&bytes[words.result * words.word_bytes], &again, words.word_bytes);
    std::memcpy(&bytes[words.original * words.word_bytes], &number, words.word_bytes);
  }
  return bytes;
}

Result<void, Errno> Debugger::WriteRegisters(ThreadId id, DebugRegisterSet set,
                                             std::span<const std::byte> bytes) {
  const auto found = Stopped(id);
  if (!found) return std::unexpected(found.error());
  Task& task = **found;
  const auto before = ReadRegisters(id, set);
  if (before && std::ranges::equal(*before, bytes)) return {};
  task.TakeCpu();
  const abi::AbiId abi = task.program->abi;
  DebugChange change{.kind = DebugChange::Kind::kRegisters, .thread = id};
  change.number = static_cast<std::uint64_t>(set);
  change.bytes.assign(bytes.begin(), bytes.end());
  Changed(std::move(change));
  if (set == DebugRegisterSet::kGeneral && task.call) AbandonCall(task);
  task.debug->passes.reset();
  const GuestAddr was_at = task.cpu().rip();
  const auto written = ptrace::WriteSet(task, SetOfRegisters(set), abi, bytes);
  if (task.cpu().rip() != was_at) task.debug->moved = true;
  // Registers that say "make the call again" mean it, also when they were put aside meanwhile.
  if (set == DebugRegisterSet::kGeneral && task.tracing->original >= 0) {
    auto result = static_cast<std::int64_t>(task.cpu().gpr(x86::kRax));
    if (abi == abi::AbiId::kI386) result = static_cast<std::int32_t>(result);
    task.tracing->interrupted = result == kRestartIfAskedCode || result == kRestartNoHandlerCode ||
                                result == kRestartBlockCode;
  }
  return written;
}

Result<GuestAddr, Errno> Debugger::ThreadPointer(ThreadId id) {
  const auto task = Stopped(id);
  if (!task) return std::unexpected(task.error());
  (*task)->TakeCpu();
  const x86::Registers registers = (*task)->cpu().Get();
  return (*task)->program->abi == abi::AbiId::kI386 ? registers.gs_base : registers.fs_base;
}

Result<std::vector<std::byte>, Errno> Debugger::ReadSiginfo(ThreadId id) {
  const auto found = Stopped(id);
  if (!found) return std::unexpected(found.error());
  const Task& task = **found;
  if (task.debug->asked == 0) return std::unexpected(kENODATA);
  if (task.debug->shown) return Encode(task, *task.debug->shown);
  for (const PendingSignals* const queue :
       std::initializer_list<const PendingSignals*>{&task.signals.own(), &task.process.pending}) {
    const auto info = std::ranges::find(queue->queue(), task.debug->asked, &abi::Siginfo::signal);
    if (info != queue->queue().end()) return Encode(task, *info);
  }
  return std::unexpected(kENODATA);
}

Result<void, Errno> Debugger::WriteSiginfo(ThreadId id, std::span<const std::byte> bytes) {
  const auto found = Stopped(id);
  if (!found) return std::unexpected(found.error());
  Task& task = **found;
  if (task.debug->asked == 0) return std::unexpected(kENODATA);
  abi::Siginfo info;
  if (bytes.size() != sizeof info) return std::unexpected(kEINVAL);
  if (task.program->abi == abi::AbiId::kI386) {
    abi::i386::Siginfo narrow;
    std::memcpy(&narrow, bytes.data(), sizeof narrow);
    abi::i386::Decode(narrow, info);
  } else {
    std::memcpy(&info, bytes.data(), sizeof info);
  }
  info.signal = task.debug->asked;
  if (task.debug->shown) {  // nobody will read it but who writes it
    task.debug->shown = info;
    return {};
  }
  DebugChange change{.kind = DebugChange::Kind::kSiginfo, .thread = id};
  change.bytes.assign(bytes.begin(), bytes.end());
  Changed(std::move(change));
  // Still the signal that it stopped for: which one is delivered says Resume.
  task.TakeSignal(SetOf(task.debug->asked));
  task.signals.Force(info);
  return {};
}

Result<std::size_t, Errno> Debugger::ReadMemory(std::uint32_t pid, GuestAddr address,
                                                std::span<std::byte> out) {
  const Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  const std::size_t got = task->program->space->Inspect(out, address);
  if (got == 0 && !out.empty()) return std::unexpected(kEFAULT);
  return got;
}

Result<void, Errno> Debugger::WriteMemory(std::uint32_t pid, GuestAddr address,
                                          std::span<const std::byte> bytes) {
  Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  AddressSpace& space = task->space();
  std::vector<std::byte> before(bytes.size());
  if (space.Inspect(before, address) != bytes.size()) return std::unexpected(kEFAULT);
  if (std::ranges::equal(before, bytes)) return {};
  DebugChange change{.kind = DebugChange::Kind::kMemory, .thread = {pid, pid}, .address = address};
  change.bytes.assign(bytes.begin(), bytes.end());
  Changed(std::move(change));
  const std::size_t done = space.Poke(address, bytes);
  if (done == bytes.size()) return {};
  space.Poke(address, std::span(before).first(done));
  return std::unexpected(kENOMEM);
}

Result<std::vector<Mapping>, Errno> Debugger::Mappings(std::uint32_t pid) {
  const Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  return task->program->space->Mappings();
}

Result<std::uint64_t, Errno> Debugger::WrittenBytes(std::uint32_t pid, GuestAddr start,
                                                    GuestAddr end) {
  const Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  return task->program->space->ChargedBytes(start, end);
}

Result<GuestAddr, Errno> Debugger::AddressEnd(std::uint32_t pid) {
  const Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  return task->program->address_end;
}

Result<std::vector<std::byte>, Errno> Debugger::AuxiliaryVector(std::uint32_t pid) {
  const Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  return task->program->stack.auxv;
}

}  // namespace glovebox::engine
