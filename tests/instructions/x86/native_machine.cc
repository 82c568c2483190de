#include "tests/instructions/x86/native_machine.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include <cstring>

#include "engine/base/check.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::size_t kSignalStackBytes = 256 * 1024;
constexpr std::array<int, 6> kSignals = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGALRM};
constexpr unsigned kPatienceSeconds = 5;  // a case that runs longer ends as kOther
constexpr std::array<int, 16> kGregs = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                        REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                        REG_R12, REG_R13, REG_R14, REG_R15};
// Exception vectors as the kernel puts them into trapno: Intel SDM vol. 3A, table 6-1.
constexpr std::uint64_t kVectorDivide = 0, kVectorBreakpoint = 3, kVectorInvalidOpcode = 6,
                        kVectorGeneralProtection = 13, kVectorPageFault = 14, kVectorX87 = 16,
                        kVectorAlignment = 17, kVectorSimd = 19;

// A run is two signals: the first, raised by Run, swaps the host's registers for the guest's in the
// frame that sigreturn restores; the second, however the guest ended, swaps them back. So no
// register needs saving by hand.
struct Exchange {
  MachineState* state = nullptr;  // null: not expecting anything
  bool inside = false;
  greg_t host_gregs[NGREG];
  FloatState host_fx;
};
Exchange exchange;  // what the handler knows

Ending EndingOf(std::uint64_t vector) {
  switch (vector) {
    case kVectorBreakpoint:
      return Ending::kReachedInt3;
    case kVectorDivide:
      return Ending::kDivideError;
    case kVectorInvalidOpcode:
      return Ending::kInvalidOpcode;
    case kVectorGeneralProtection:
      return Ending::kGeneralProtection;
    case kVectorPageFault:
      return Ending::kPageFault;
    case kVectorX87:
    case kVectorSimd:
      return Ending::kFloatingPoint;
    case kVectorAlignment:
      return Ending::kAlignmentCheck;
    default:
      return Ending::kOther;
  }
}

void EnterGuest(ucontext_t& context, MachineState& state) {
  auto& gregs = context.uc_mcontext.gregs;
  std::memcpy(exchange.host_gregs, gregs, sizeof(gregs));
  std::memcpy(static_cast<void*>(&exchange.host_fx), context.uc_mcontext.fpregs,
              sizeof(FloatState));
  for (std::size_t i = 0; i < 16; ++i) gregs[kGregs[i]] = static_cast<greg_t>(state.gpr[i]);
  gregs[REG_RIP] = static_cast<greg_t>(state.rip);
  gregs[REG_EFL] = static_cast<greg_t>(state.rflags);
  std::memcpy(context.uc_mcontext.fpregs, &state.fx, sizeof(FloatState));
  // Behind the legacy region stands the XSAVE header, whose first word says which parts are not in
  // their initial state and so are restored from here: Intel SDM vol. 1, 13.4.2.
  constexpr std::size_t kHeaderOffset = 512;
  std::uint64_t parts = 0;
  auto* const header = reinterpret_cast<std::byte*>(context.uc_mcontext.fpregs) + kHeaderOffset;
  std::memcpy(&parts, header, sizeof(parts));
  parts |= 3;
  std::memcpy(header, &parts, sizeof(parts));
}

void LeaveGuest(ucontext_t& context, MachineState& state) {
  auto& gregs = context.uc_mcontext.gregs;
  for (std::size_t i = 0; i < 16; ++i) state.gpr[i] = static_cast<std::uint64_t>(gregs[kGregs[i]]);
  state.rip = static_cast<std::uint64_t>(gregs[REG_RIP]);
  state.rflags = static_cast<std::uint64_t>(gregs[REG_EFL]);
  std::memcpy(static_cast<void*>(&state.fx), context.uc_mcontext.fpregs, sizeof(FloatState));
  state.ending = EndingOf(static_cast<std::uint64_t>(gregs[REG_TRAPNO]));
  if (state.ending == Ending::kReachedInt3) state.rip -= 1;
  state.fault_address = static_cast<std::uint64_t>(gregs[REG_CR2]);
  std::memcpy(gregs, exchange.host_gregs, sizeof(gregs));
  std::memcpy(context.uc_mcontext.fpregs, &exchange.host_fx, sizeof(FloatState));
}

void OnSignal(int signal_number, siginfo_t*, void* raw_context) {
  auto& context = *static_cast<ucontext_t*>(raw_context);
  if (exchange.state == nullptr) {  // not ours: let it happen again without us
    ::signal(signal_number, SIG_DFL);
    return;
  }
  if (!exchange.inside) {
    exchange.inside = true;
    EnterGuest(context, *exchange.state);
  } else {
    exchange.inside = false;
    LeaveGuest(context, *exchange.state);
    if (signal_number == SIGALRM) exchange.state->ending = Ending::kOther;
    exchange.state = nullptr;
  }
}

std::byte* MapAt(std::uint64_t address, std::size_t size_bytes, int protection) {
  void* const at = reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr)
  void* const got =
      ::mmap(at, size_bytes, protection,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
  GB_CHECK(got == at);
  return static_cast<std::byte*>(got);
}

std::byte* DataArea() { return reinterpret_cast<std::byte*>(kDataAddress); }  // NOLINT
std::byte* CodeArea() { return reinterpret_cast<std::byte*>(kCodeAddress); }  // NOLINT

}  // namespace

NativeMachine::NativeMachine() : signal_stack_(new std::byte[kSignalStackBytes]) {
  MapAt(kDataAddress - kGuardBytes, kDataBytes + 2 * kGuardBytes, PROT_NONE);
  GB_CHECK(::mprotect(DataArea(), kDataBytes, PROT_READ | PROT_WRITE) == 0);
  MapAt(kCodeAddress, kCodeBytes, PROT_READ | PROT_WRITE | PROT_EXEC);
  std::memset(CodeArea(), kInt3, kCodeBytes);

  stack_t stack{};
  stack.ss_sp = signal_stack_.get();
  stack.ss_size = kSignalStackBytes;
  GB_CHECK(::sigaltstack(&stack, nullptr) == 0);
  struct sigaction action{};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigfillset(&action.sa_mask);
  for (const int number : kSignals) GB_CHECK(::sigaction(number, &action, nullptr) == 0);
}

NativeMachine::~NativeMachine() {
  for (const int number : kSignals) ::signal(number, SIG_DFL);
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
  ::munmap(DataArea() - kGuardBytes, kDataBytes + 2 * kGuardBytes);
  ::munmap(CodeArea(), kCodeBytes);
}

// Its content seldom changes, and making it writable costs two system calls.
void NativeMachine::WriteReadOnlyPage(std::span<const std::uint8_t> bytes) {
  std::byte* const page = DataArea() + kWritableBytes;
  if (read_only_written_ && std::memcmp(page, bytes.data(), bytes.size()) == 0) return;
  GB_CHECK(::mprotect(page, bytes.size(), PROT_READ | PROT_WRITE) == 0);
  std::memcpy(page, bytes.data(), bytes.size());
  GB_CHECK(::mprotect(page, bytes.size(), PROT_READ) == 0);
  read_only_written_ = true;
}

void NativeMachine::Run(std::span<const std::uint8_t> code, MachineState& state) {
  GB_CHECK(state.rip >= kCodeAddress && state.rip + code.size() < kCodeAddress + kCodeBytes);
  std::byte* const at = CodeArea() + (state.rip - kCodeAddress);
  std::memcpy(at, code.data(), code.size());
  std::memcpy(DataArea(), state.data.data(), kWritableBytes);
  WriteReadOnlyPage(std::span(state.data).subspan(kWritableBytes));

  exchange.state = &state;
  exchange.inside = false;
  ::alarm(kPatienceSeconds);
  __builtin_ia32_writeeflags_u64(0x202);  // sigreturn leaves NT and ID as the last guest had them
  asm volatile("int3" ::: "memory");
  ::alarm(0);
  GB_CHECK(exchange.state == nullptr);

  std::memcpy(state.data.data(), DataArea(), kDataBytes);
  std::memset(at, kInt3, code.size());
}

}  // namespace glovebox::engine::x86
