// ptrace(2): what tracers ask for. Where tracees stop, and why, is tracing.h's.
// Source: kernel/ptrace.c, arch/x86/kernel/ptrace.c of Linux 6.1.
#include <algorithm>
#include <cstring>

#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/sending.h"
#include "engine/linux/syscalls/thread_area.h"
#include "engine/linux/trace_registers.h"

namespace glovebox::engine {
namespace {

using ptrace::RegisterSet;

struct Request {
  Task& tracer;
  Task& tracee;
  std::uint64_t address;
  std::uint64_t data;
  abi::Layout layout;  // of what the tracer is told

  abi::AbiId abi() const { return abi::IsI386(layout) ? abi::AbiId::kI386 : abi::AbiId::kX86_64; }
  template <typename T>
  GuestPtr<T> DataPointer() const {
    return {data, layout};
  }
};

// --- memory ---

// Permissions of the page do not matter, but shared memory that may not be written stays as it is:
// FOLL_FORCE.
bool MayPoke(AddressSpace& space, GuestAddr address) {
  const Mapping* const mapping = space.Find(address);
  return mapping != nullptr && (!mapping->shared || (mapping->protection & kProtWrite) != 0);
}

SyscallResult Peek(const Request& r) {
  std::uint64_t word = 0;
  const auto bytes = std::as_writable_bytes(std::span(&word, 1)).first(abi::WordBytes(r.layout));
  if (r.tracee.space().Peek(bytes, r.address) != bytes.size()) return kEIO;
  return FromResult(r.tracer.memory().Write(r.DataPointer<abi::Word>(), {word}));
}

SyscallResult Poke(const Request& r) {
  const auto bytes = std::as_bytes(std::span(&r.data, 1)).first(abi::WordBytes(r.layout));
  AddressSpace& space = r.tracee.space();
  if (!MayPoke(space, r.address) || !MayPoke(space, r.address + bytes.size() - 1)) return kEIO;
  if (space.Poke(r.address, bytes) == bytes.size()) return 0;
  if (space.LastFault().kind == MemoryFaultKind::kMemoryLimit)
    r.tracer.kernel.EndByLimit(LimitId::kMemory);
  return kEIO;
}

// --- struct user: registers, and far behind them the debug registers ---

struct UserLayout {
  std::uint64_t bytes;
  std::uint64_t debug_registers;
};
constexpr UserLayout kUser64{912, 848}, kUser32{284, 252};
constexpr std::uint64_t kDebugRegisters = 8;

const UserLayout& UserOf(const Request& r) { return abi::IsI386(r.layout) ? kUser32 : kUser64; }
// Of a debug register. Empty: the address is of none.
std::optional<std::uint64_t> DebugRegister(const Request& r) {
  const UserLayout& user = UserOf(r);
  const std::uint64_t index = (r.address - user.debug_registers) / abi::WordBytes(r.layout);
  if (r.address < user.debug_registers || index >= kDebugRegisters) return std::nullopt;
  return index;
}

SyscallResult PeekUser(const Request& r) {
  if (r.address % abi::WordBytes(r.layout) != 0 || r.address >= UserOf(r).bytes) return kEIO;
  std::uint64_t word = ptrace::ReadGeneralWord(r.tracee, r.abi(), r.address).value_or(0);
  if (const auto index = DebugRegister(r))
    word = r.tracee.tracing->debug_registers[static_cast<std::size_t>(*index)];
  return FromResult(r.tracer.memory().Write(r.DataPointer<abi::Word>(), {word}));
}

// Addresses are kept, but no breakpoint is switched on: there are no slots for one.
SyscallResult SetDebugRegister(const Request& r, std::uint64_t index) {
  constexpr std::uint64_t kStatus = 6, kControl = 7, kEnableBits = 0xff;
  if (index == 4 || index == 5) return kEIO;
  if (index == kControl && (r.data & kEnableBits) != 0) return kENOSPC;
  if (index < 4 && r.data >= 0x7fff'ffff'f000) return kEINVAL;
  const std::uint64_t kept = index == kControl ? 0 : r.data;
  r.tracee.tracing->debug_registers[static_cast<std::size_t>(index)] =
      index == kStatus ? r.data & 0xe00f : kept;
  return 0;
}

SyscallResult PokeUser(const Request& r) {
  if (r.address % abi::WordBytes(r.layout) != 0 || r.address >= UserOf(r).bytes) return kEIO;
  if (const auto index = DebugRegister(r)) return SetDebugRegister(r, *index);
  return ptrace::WriteGeneralWord(r.tracee, r.abi(), r.address, r.data) ? SyscallResult(0) : kEIO;
}

// --- register sets ---

SyscallResult Get(const Request& r, RegisterSet set) {
  const auto bytes = ptrace::ReadSet(r.tracee, set, r.abi());
  if (bytes.empty()) return kEIO;
  return FromResult(r.tracer.memory().WriteBytes(r.data, bytes));
}
SyscallResult Set(const Request& r, RegisterSet set) {
  auto bytes = ptrace::ReadSet(r.tracee, set, r.abi());
  if (bytes.empty()) return kEIO;
  if (const auto ok = r.tracer.memory().ReadBytes(r.data, bytes); !ok) return ok.error();
  return FromResult(ptrace::WriteSet(r.tracee, set, r.abi(), bytes));
}
template <RegisterSet kSet>
SyscallResult GetOne(const Request& r) {
  return Get(r, kSet);
}
template <RegisterSet kSet>
SyscallResult SetOne(const Request& r) {
  return Set(r, kSet);
}

// As the tracee has the set, whoever asks; the vector says how much of it.
SyscallResult TransferSet(const Request& r, bool writes) {
  auto vector = r.tracer.memory().Read(r.DataPointer<const abi::Iovec>());
  if (!vector) return vector.error();
  const auto set = static_cast<RegisterSet>(r.address);
  const bool is_known = set == RegisterSet::kGeneral || set == RegisterSet::kFloat ||
                        set == RegisterSet::kFxsave || set == RegisterSet::kXstate;
  const abi::AbiId abi = r.tracee.program->abi;
  auto bytes = is_known ? ptrace::ReadSet(r.tracee, set, abi) : std::vector<std::byte>();
  constexpr std::uint64_t kWordOfSets = 8;
  const std::uint64_t unit =
      abi == abi::AbiId::kI386 && set != RegisterSet::kXstate ? kWordOfSets / 2 : kWordOfSets;
  if (bytes.empty() || vector->length % unit != 0) return kEINVAL;
  vector->length = std::min<std::uint64_t>(vector->length, bytes.size());
  bytes.resize(static_cast<std::size_t>(vector->length));
  if (writes) {
    if (const auto ok = r.tracer.memory().ReadBytes(vector->base, bytes); !ok) return ok.error();
    if (const auto ok = ptrace::WriteSet(r.tracee, set, abi, bytes); !ok) return ok.error();
  } else if (const auto ok = r.tracer.memory().WriteBytes(vector->base, bytes); !ok) {
    return ok.error();
  }
  const GuestPtr<abi::Word> length{r.data + abi::WordBytes(r.layout), r.layout};
  return FromResult(r.tracer.memory().Write(length, {vector->length}));
}
SyscallResult GetSet(const Request& r) { return TransferSet(r, false); }
SyscallResult SetSet(const Request& r) { return TransferSet(r, true); }

SyscallResult GetThreadArea(const Request& r) {
  const auto descriptor = ReadThreadArea(r.tracee.cpu(), static_cast<std::uint32_t>(r.address));
  if (!descriptor) return kEINVAL;
  return FromResult(
      r.tracer.memory().Write(GuestPtr<abi::i386::UserDescriptor>{r.data}, *descriptor));
}

// As arch_prctl(2) of the tracee.
SyscallResult ArchPrctl(const Request& r) {
  enum Code : std::uint64_t { kSetGs = 0x1001, kSetFs, kGetFs, kGetGs };
  constexpr std::uint64_t kFsOffset = 21 * 8, kGsOffset = 22 * 8;
  if (abi::IsI386(r.layout)) return kEIO;
  const std::uint64_t offset = r.data == kSetFs || r.data == kGetFs ? kFsOffset : kGsOffset;
  switch (r.data) {
    case kSetGs:
    case kSetFs:
      return ptrace::WriteGeneralWord(r.tracee, r.abi(), offset, r.address) ? SyscallResult(0)
                                                                            : kEPERM;
    case kGetFs:
    case kGetGs: {
      const std::uint64_t base = ptrace::ReadGeneralWord(r.tracee, r.abi(), offset).value_or(0);
      return FromResult(r.tracer.memory().Write(GuestPtr<std::uint64_t>{r.address}, base));
    }
    default:
      return kEINVAL;
  }
}

// --- going on ---

SyscallResult GoOn(const Request& r, ResumeMode mode) {
  if (r.data > static_cast<std::uint64_t>(kSignalCount)) return kEIO;
  ptrace::Resume(r.tracee, mode, static_cast<int>(r.data));
  return 0;
}
template <ResumeMode kMode>
SyscallResult GoOnAs(const Request& r) {
  return GoOn(r, kMode);
}

SyscallResult Detach(const Request& r) {
  if (r.data > static_cast<std::uint64_t>(kSignalCount)) return kEIO;
  ptrace::Detach(r.tracee, static_cast<int>(r.data));
  return 0;
}

SyscallResult Kill(const Request& r) {
  r.tracee.Receive(SenderInfo(kSIGKILL, kSiUser, r.tracer.process.pid, r.tracer.credentials.uid));
  return 0;
}

SyscallResult Interrupt(const Request& r) {
  if (!r.tracee.tracing->seized) return kEIO;
  ptrace::Interrupt(r.tracee);
  return 0;
}

SyscallResult Listen(const Request& r) {
  const Tracing& tracing = *r.tracee.tracing;
  const TraceStop& stop = *tracing.stop;
  const bool is_event_stop =
      stop.info && stop.info->code >> 8 == static_cast<int>(TraceEventId::kStop);
  if (!tracing.seized || !is_event_stop) return kEIO;
  ptrace::Listen(r.tracee);
  return 0;
}

// --- options, messages, signals ---

bool AreOptions(std::uint64_t options) { return (options & ~std::uint64_t{kTraceOptions}) == 0; }

SyscallResult SetOptions(const Request& r) {
  if (!AreOptions(r.data)) return kEINVAL;
  r.tracee.tracing->options = static_cast<std::uint32_t>(r.data);
  return 0;
}

SyscallResult GetEventMessage(const Request& r) {
  return FromResult(
      r.tracer.memory().Write(r.DataPointer<abi::Word>(), {r.tracee.tracing->message}));
}

SyscallResult GetSiginfo(const Request& r) {
  const auto& info = r.tracee.tracing->stop->info;
  if (!info) return kEINVAL;
  return FromResult(r.tracer.memory().Write(r.DataPointer<abi::Siginfo>(), *info));
}

SyscallResult SetSiginfo(const Request& r) {
  const auto info = r.tracer.memory().Read(r.DataPointer<const abi::Siginfo>());
  if (!info) return info.error();
  Tracing& tracing = *r.tracee.tracing;
  if (!tracing.stop->info) return kEINVAL;
  tracing.stop->info = *info;
  // Of a stop for a signal: what is delivered.
  if (tracing.delivery) tracing.delivery = *info;
  return 0;
}

struct PeekSiginfoArguments {
  std::uint64_t offset;
  std::uint32_t flags;
  std::int32_t count;
};

SyscallResult PeekSiginfo(const Request& r) {
  constexpr std::uint32_t kShared = 1;
  const auto asked =
      r.tracer.memory().Read(GuestPtr<const PeekSiginfoArguments>{r.address, r.layout});
  if (!asked) return asked.error();
  if ((asked->flags & ~kShared) != 0 || asked->count < 0) return kEINVAL;
  const auto& queue = (asked->flags & kShared) != 0 ? r.tracee.process.pending.queue()
                                                    : r.tracee.signals.own().queue();
  auto to = r.DataPointer<abi::Siginfo>();
  std::int64_t copied = 0;
  for (std::uint64_t i = asked->offset; copied < asked->count && i < queue.size(); ++i, ++copied) {
    const auto ok = r.tracer.memory().Write(to + static_cast<std::uint64_t>(copied),
                                            queue[static_cast<std::size_t>(i)]);
    if (!ok) return copied > 0 ? SyscallResult(copied) : SyscallResult(ok.error());
  }
  return copied;
}

constexpr std::uint64_t kSigsetBytes = 8;

SyscallResult GetSignalMask(const Request& r) {
  if (r.address != kSigsetBytes) return kEINVAL;
  const SignalState& signals = r.tracee.signals;
  return FromResult(r.tracer.memory().Write(GuestPtr<SignalSet>{r.data},
                                            signals.saved_mask.value_or(signals.blocked())));
}

SyscallResult SetSignalMask(const Request& r) {
  if (r.address != kSigsetBytes) return kEINVAL;
  const auto mask = r.tracer.memory().Read(GuestPtr<const SignalSet>{r.data});
  if (!mask) return mask.error();
  r.tracee.signals.saved_mask.reset();
  r.tracee.signals.SetBlocked(*mask);
  return 0;
}

// uapi/linux/ptrace.h, ptrace_syscall_info.
struct SyscallInfo {
  std::uint8_t op;
  std::uint8_t pad[3];
  std::uint32_t architecture;
  std::uint64_t instruction_pointer;
  std::uint64_t stack_pointer;
  std::uint64_t number_or_result;
  std::uint64_t arguments[6];  // behind a call: its first byte says whether it failed
  std::uint32_t answer;        // of a program of seccomp(2)
  std::uint32_t pad2;
};
static_assert(sizeof(SyscallInfo) == 88);

SyscallResult GetSyscallInfo(const Request& r) {
  enum Op : std::uint8_t { kNone, kEntry, kExit, kSeccomp };
  constexpr std::uint32_t kArch64 = 0xc000003e, kArch32 = 0x40000003;
  constexpr std::size_t kNoneBytes = 24, kEntryBytes = 80, kExitBytes = 33, kSeccompBytes = 84;
  constexpr int kSysGoodCode = kSIGTRAP | 0x80;
  constexpr std::uint64_t kMessageEntry = 1;
  constexpr std::int64_t kMostErrno = 4095;
  const bool i386 = r.tracee.program->abi == abi::AbiId::kI386;
  const x86::Registers registers = r.tracee.cpu().Get();
  SyscallInfo info{};
  info.architecture = i386 ? kArch32 : kArch64;
  info.instruction_pointer = registers.rip;
  info.stack_pointer = registers.gpr[x86::kRsp];
  std::size_t size = kNoneBytes;
  const Tracing& tracing = *r.tracee.tracing;
  constexpr int kSeccompCode = kSIGTRAP | static_cast<int>(TraceEventId::kSeccomp) << 8;
  const bool by_seccomp =
      tracing.stop->kind == TraceStop::Kind::kEvent && tracing.stop->code == kSeccompCode;
  const bool at_call =
      tracing.stop->kind == TraceStop::Kind::kSyscall && tracing.stop->code == kSysGoodCode;
  if (at_call || by_seccomp) {
    if (by_seccomp || tracing.message == kMessageEntry) {
      constexpr x86::Gpr k64[] = {x86::kRdi, x86::kRsi, x86::kRdx, x86::kR10, x86::kR8, x86::kR9};
      constexpr x86::Gpr k32[] = {x86::kRbx, x86::kRcx, x86::kRdx, x86::kRsi, x86::kRdi, x86::kRbp};
      info.op = by_seccomp ? kSeccomp : kEntry;
      info.answer = by_seccomp ? static_cast<std::uint32_t>(tracing.message) : 0;
      info.number_or_result = static_cast<std::uint64_t>(tracing.original);
      for (std::size_t i = 0; i < std::size(info.arguments); ++i)
        info.arguments[i] = registers.gpr[(i386 ? k32 : k64)[i]];
      size = by_seccomp ? kSeccompBytes : kEntryBytes;
    } else {
      info.op = kExit;
      auto result = static_cast<std::int64_t>(registers.gpr[x86::kRax]);
      if (i386) result = static_cast<std::int32_t>(result);
      info.number_or_result = static_cast<std::uint64_t>(result);
      info.arguments[0] = result < 0 && result >= -kMostErrno ? 1 : 0;
      size = kExitBytes;
    }
  }
  const auto bytes = std::as_bytes(std::span(&info, 1))
                         .first(static_cast<std::size_t>(std::min<std::uint64_t>(r.address, size)));
  if (const auto ok = r.tracer.memory().WriteBytes(r.data, bytes); !ok) return ok.error();
  return static_cast<std::int64_t>(size);
}

// --- the requests ---

struct RequestRow {
  int number;
  SyscallResult (*serve)(const Request&);
  bool needs_stop = true;
};
constexpr RequestRow kRequests[] = {
    {1, &Peek},
    {2, &Peek},
    {3, &PeekUser},
    {4, &Poke},
    {5, &Poke},
    {6, &PokeUser},
    {7, &GoOnAs<ResumeMode::kContinue>},
    {8, &Kill, false},
    {9, &GoOnAs<ResumeMode::kStep>},
    {12, &GetOne<RegisterSet::kGeneral>},
    {13, &SetOne<RegisterSet::kGeneral>},
    {14, &GetOne<RegisterSet::kFloat>},
    {15, &SetOne<RegisterSet::kFloat>},
    {17, &Detach},
    {18, &GetOne<RegisterSet::kFxsave>},
    {19, &SetOne<RegisterSet::kFxsave>},
    {24, &GoOnAs<ResumeMode::kSyscall>},
    {25, &GetThreadArea},
    {30, &ArchPrctl},
    {31, &GoOnAs<ResumeMode::kEmulate>},
    {32, &GoOnAs<ResumeMode::kEmulateStep>},
    {0x4200, &SetOptions},
    {0x4201, &GetEventMessage},
    {0x4202, &GetSiginfo},
    {0x4203, &SetSiginfo},
    {0x4204, &GetSet},
    {0x4205, &SetSet},
    {0x4207, &Interrupt, false},
    {0x4208, &Listen},
    {0x4209, &PeekSiginfo},
    {0x420a, &GetSignalMask},
    {0x420b, &SetSignalMask},
    {0x420e, &GetSyscallInfo},
};

// --- becoming a tracer ---

SyscallResult TraceMe(Task& task) {
  Process* const parent = task.process.parent;
  if (ptrace::IsTraced(task) || parent == nullptr) return kEPERM;
  const auto lives = [](const Task* thread) {
    return thread->scheduling.state != Scheduling::State::kEnded;
  };
  auto maker = std::ranges::find(parent->threads, task.process.maker, &Task::tid);
  if (maker == parent->threads.end() || !lives(*maker))
    maker = std::ranges::find_if(parent->threads, lives);
  if (maker == parent->threads.end()) return kEPERM;
  Task& tracer = **maker;
  if (!MayTrace(tracer, task)) return kEPERM;
  ptrace::Link(task, tracer, false, 0);
  return 0;
}

SyscallResult Attach(const Request& r, bool seizes) {
  if (seizes && (r.address != 0 || !AreOptions(r.data))) return kEIO;
  Task& task = r.tracee;
  const bool has_ended = task.scheduling.state == Scheduling::State::kEnded;
  if (&task.process == &r.tracer.process || !MayTrace(r.tracer, task)) return kEPERM;
  if (has_ended || ptrace::IsTraced(task)) return kEPERM;
  ptrace::Link(task, r.tracer, seizes, seizes ? static_cast<std::uint32_t>(r.data) : 0);
  if (!seizes) task.Receive(SenderInfo(kSIGSTOP, kSiKernel, 0, 0));
  if (task.process.stop_signal != 0) ptrace::TrapStopped(task);
  return 0;
}

}  // namespace

SyscallResult SysPtrace(Task& task, PtraceRequest request, Pid pid, Hex address, Hex data) {
  constexpr int kTraceMe = 0, kAttach = 16, kSeize = 0x4206;
  if (request.value == kTraceMe) return TraceMe(task);
  Task* const tracee = task.kernel.processes().FindTask(pid.value);
  if (tracee == nullptr) return kESRCH;
  const Request r{task, *tracee, address.value, data.value, task.call->layout};
  if (request.value == kAttach || request.value == kSeize)
    return Attach(r, request.value == kSeize);
  const auto row = std::ranges::find(kRequests, request.value, &RequestRow::number);
  const bool is_known = row != std::end(kRequests);
  // Those of ended tracees too: nobody can do anything with them.
  if (!ptrace::IsTraced(*tracee) || tracee->tracing->tracer != &task ||
      tracee->scheduling.state == Scheduling::State::kEnded) {
    return kESRCH;
  }
  const bool may_look = ptrace::InStop(*tracee) && !tracee->tracing->stop->listening;
  if ((!is_known || row->needs_stop) && !may_look) return kESRCH;
  if (!is_known) return kEIO;
  tracee->TakeCpu();
  const SyscallResult result = row->serve(r);
  task.TakeCpu();
  return result;
}

}  // namespace glovebox::engine
