#include "tests/instructions/x86/native_machine.h"

#include <asm/ldt.h>
#include <cpuid.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "engine/base/check.h"
#include "tests/instructions/x86/native_gate.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::size_t kSignalStackBytes = 256 * 1024;
constexpr std::array<int, 6> kSignals = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGVTALRM};
// A case that is there at so many ticks of processor time in a row ends as kOther.
constexpr int kPatienceTicks = 3;
constexpr int kTickMicroseconds = 100'000;
constexpr std::array<int, 16> kGregs = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                        REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                        REG_R12, REG_R13, REG_R14, REG_R15};

struct Vector {
  Ending ending;
  std::uint64_t number;
};
// Exceptions as the kernel puts them into trapno: Intel SDM vol. 3A, table 6-1.
constexpr Vector kVectors[] = {
    {Ending::kDivideError, 0},
    {Ending::kSingleStep, 1},
    {Ending::kReachedInt3, 3},
    {Ending::kOverflow, 4},
    {Ending::kBound, 5},
    {Ending::kInvalidOpcode, 6},
    {Ending::kSegmentNotPresent, 11},
    {Ending::kStackFault, 12},
    {Ending::kGeneralProtection, 13},
    {Ending::kPageFault, 14},
    {Ending::kFloatingPoint, 16},
    {Ending::kAlignmentCheck, 17},
    {Ending::kFloatingPoint, 19},
};

// Bits of a page fault's error code: Intel SDM vol. 3A, 4.7.
constexpr std::uint64_t kErrorWrite = 1 << 1;
constexpr std::uint64_t kErrorFetch = 1 << 4;

template <typename T>
T* At(std::uint64_t address) {
  return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr)
}
GateState& Gate() { return *At<GateState>(kGateStateAddress); }

// What the handler tells Run.
struct Caught {
  Ending ending = Ending::kOther;
  std::uint64_t fault_address = 0;
  Access fault_access = Access::kRead;
  int ticks = 0;  // since the case began
};
Caught caught;

Ending EndingOf(std::uint64_t number) {
  for (const Vector& vector : kVectors) {
    if (vector.number == number) return vector.ending;
  }
  return Ending::kOther;
}

// The state of the interrupted code, from the frame that the kernel made.
void TakeState(const ucontext_t& context, std::uint64_t guest_fs_base) {
  GateState& gate = Gate();
  const auto& gregs = context.uc_mcontext.gregs;
  for (std::size_t i = 0; i < 16; ++i) {
    gate.gpr[i] = static_cast<std::uint64_t>(gregs[kGregs[i]]);
  }
  gate.rip = static_cast<std::uint64_t>(gregs[REG_RIP]);
  gate.rflags = static_cast<std::uint64_t>(gregs[REG_EFL]);
  // The kernel leaves the selectors alone, and does not put them all into the frame.
  asm volatile("movw %%es, %0" : "=m"(gate.selectors[0]));
  asm volatile("movw %%ds, %0" : "=m"(gate.selectors[1]));
  asm volatile("movw %%fs, %0" : "=m"(gate.selectors[2]));
  asm volatile("movw %%gs, %0" : "=m"(gate.selectors[3]));
  gate.left_ss = static_cast<std::uint64_t>(gregs[REG_CSGSFS]) >> 48;
  gate.fs_base = guest_fs_base;
  asm volatile("rdgsbase %0" : "=r"(gate.gs_base));
  // The frame holds the standard format of XSAVE. What is in its initial state need not have been
  // written.
  XsaveImage image;
  std::memcpy(static_cast<void*>(&image), context.uc_mcontext.fpregs, sizeof(image));
  if ((image.parts & 4) == 0) image.ymm_high = {};
  if ((image.parts & 2) == 0) image.fx.xmm = {};
  if ((image.parts & 1) == 0) {
    const FloatState fresh;
    image.fx.control = fresh.control;
    image.fx.status = 0;
    image.fx.valid = 0;
    image.fx.st = {};
  }
  gate.xsave = image;
}

// Goes on behind the gate's own way out.
void Redirect(ucontext_t& context) {
  auto& gregs = context.uc_mcontext.gregs;
  gregs[REG_RIP] = static_cast<greg_t>(kGateAddress + GetGateCode().resume_offset);
  gregs[REG_EFL] = 0x202;
  gregs[REG_CSGSFS] =
      static_cast<greg_t>(kCode64Selector | std::uint64_t{kDataSelector} << 48 |
                          (static_cast<std::uint64_t>(gregs[REG_CSGSFS]) & 0x0000FFFFFFFF0000));
}

void EndCase(int signal_number, ucontext_t& context, std::uint64_t guest_fs_base) {
  const auto& gregs = context.uc_mcontext.gregs;
  TakeState(context, guest_fs_base);
  if (signal_number == SIGVTALRM) {
    caught.ending = Ending::kOther;
  } else {
    const auto error = static_cast<std::uint64_t>(gregs[REG_ERR]);
    caught.ending = EndingOf(static_cast<std::uint64_t>(gregs[REG_TRAPNO]));
    if (caught.ending == Ending::kReachedInt3) Gate().rip -= 1;
    caught.fault_address = static_cast<std::uint64_t>(gregs[REG_CR2]);
    caught.fault_access = (error & kErrorFetch) != 0   ? Access::kExecute
                          : (error & kErrorWrite) != 0 ? Access::kWrite
                                                       : Access::kRead;
  }
  Redirect(context);
}

void HandleInside(int signal_number, ucontext_t& context, std::uint64_t guest_fs_base) {
  if (signal_number == SIGVTALRM) {
    const auto rip = static_cast<std::uint64_t>(context.uc_mcontext.gregs[REG_RIP]);
    const bool in_code = rip - kCodeAddress < kCodeBytes;
    if (!in_code || ++caught.ticks < kPatienceTicks) return;
  }
  EndCase(signal_number, context, guest_fs_base);
}

std::uint64_t ReadFsBase() {
  std::uint64_t base = 0;
  asm volatile("rdfsbase %0" : "=r"(base));
  return base;
}

// The segment base of thread-local variables is the guest's until it is put back, so nothing here
// may use one.
__attribute__((no_sanitize("address", "undefined"), no_stack_protector)) void OnSignal(
    int signal_number, siginfo_t*, void* raw_context) {
  // AC is still as the code under test had it. ID stays: sigreturn does not put it back.
  __builtin_ia32_writeeflags_u64((__builtin_ia32_readeflags_u64() & kId) | 0x202);
  GateState* const gate = At<GateState>(kGateStateAddress);
  if (gate->inside != 0) {
    std::uint64_t base = 0;
    asm volatile("rdfsbase %0" : "=r"(base));
    asm volatile("wrfsbase %0" : : "r"(gate->host_fs_base) : "memory");
    HandleInside(signal_number, *static_cast<ucontext_t*>(raw_context), base);
    asm volatile("wrfsbase %0" : : "r"(base) : "memory");
  } else if (signal_number != SIGVTALRM) {
    ::signal(signal_number, SIG_DFL);  // not ours: let it happen again without us
  }
}

std::byte* MapAt(std::uint64_t address, std::size_t size_bytes, int protection, int fd,
                 std::size_t offset) {
  const int flags =
      fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE : MAP_SHARED | MAP_FIXED_NOREPLACE;
  void* const got =
      ::mmap(At<void>(address), size_bytes, protection, flags, fd, static_cast<off_t>(offset));
  GB_CHECK(got == At<void>(address));
  return static_cast<std::byte*>(got);
}

void SetTicks(int microseconds) {
  itimerval every{};
  every.it_interval.tv_usec = every.it_value.tv_usec = microseconds;
  GB_CHECK(::setitimer(ITIMER_VIRTUAL, &every, nullptr) == 0);
}

// How the code under test ends where it is not followed by INT3: a jump to the gate.
void WriteExit(CpuMode mode, std::uint64_t at, std::byte* out) {
  const std::uint64_t target = kGateAddress + GetGateCode().exit_offset;
  if (mode == CpuMode::kLong64) {  // JMP rel32
    const auto distance = static_cast<std::uint32_t>(target - (at + 5));
    out[0] = std::byte{0xE9};
    std::memcpy(out + 1, &distance, sizeof(distance));
  } else {  // JMP ptr16:32
    const auto offset = static_cast<std::uint32_t>(target);
    const auto selector = static_cast<std::uint16_t>(kCode64Selector);
    out[0] = std::byte{0xEA};
    std::memcpy(out + 1, &offset, sizeof(offset));
    std::memcpy(out + 5, &selector, sizeof(selector));
  }
}
constexpr std::size_t kExitBytes = 8;

// In the order of GateState.
constexpr std::array kGateSelectors = {kEs, kDs, kFs, kGs};

// Fills the entries of the descriptor table that kTlsSelectors name, by the system call of i386,
// which takes a pointer below 4 GiB. False: the kernel runs no 32-bit code.
bool SetTlsDescriptors() {
  constexpr long kSetThreadArea = 243;
  auto& description = *At<user_desc>(kGateStateAddress);
  for (std::size_t i = 0; i < std::size(kTlsSelectors); ++i) {
    description = {};
    description.entry_number = kTlsSelectors[i] >> 3;
    description.base_addr = kTlsBases[i];
    description.limit = 0xFFFFF;
    description.seg_32bit = description.limit_in_pages = description.useable = 1;
    long result = kSetThreadArea;
    asm volatile("int $0x80" : "+a"(result) : "b"(&description) : "memory");
    if (result != 0) return false;
  }
  return true;
}

std::array<unsigned, 4> CpuidLeaf(unsigned leaf) {
  std::array<unsigned, 4> r{};
  __cpuid(leaf, r[0], r[1], r[2], r[3]);
  return r;
}

// The gate is no function of a compiler's: UBSan would look for its type in front of it.
#if defined(__clang__)
[[clang::no_sanitize("function")]]
#endif
void EnterGate() {
  At<void()>(kGateAddress)();
}

}  // namespace

NativeMachine::NativeMachine() : signal_stack_(new std::byte[kSignalStackBytes]) {
  const int fd = ::memfd_create("glovebox-native-machine", MFD_CLOEXEC);
  GB_CHECK(fd >= 0 && ::ftruncate(fd, kDataBytes + kCodeBytes) == 0);
  MapAt(kDataAddress, kWritableBytes, PROT_READ | PROT_WRITE, fd, 0);
  MapAt(kDataAddress + kWritableBytes, kDataBytes - kWritableBytes, PROT_READ, fd, kWritableBytes);
  MapAt(kCodeAddress, kCodeBytes, PROT_READ | PROT_EXEC, fd, kDataBytes);
  void* const all =
      ::mmap(nullptr, kDataBytes + kCodeBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  GB_CHECK(all != MAP_FAILED);
  ::close(fd);
  writable_ = static_cast<std::byte*>(all);
  std::memset(writable_ + kDataBytes, kInt3, kCodeBytes);

  std::byte* const gate =
      MapAt(kGateAddress, kGateCodeBytes + sizeof(GateState), PROT_READ | PROT_WRITE, -1, 0);
  const GateCode code = GetGateCode();
  std::memcpy(gate, code.bytes, code.size_bytes);
  GB_CHECK(::mprotect(gate, kGateCodeBytes, PROT_READ | PROT_EXEC) == 0);
  can_run_32bit_ = SetTlsDescriptors();
  new (gate + kGateCodeBytes) GateState;
  Gate().host_fs_base = ReadFsBase();

  stack_t stack{};
  stack.ss_sp = signal_stack_.get();
  stack.ss_size = kSignalStackBytes;
  GB_CHECK(::sigaltstack(&stack, nullptr) == 0);
  struct sigaction action{};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  ::sigfillset(&action.sa_mask);
  for (const int number : kSignals) GB_CHECK(::sigaction(number, &action, nullptr) == 0);
  SetTicks(kTickMicroseconds);
}

NativeMachine::~NativeMachine() {
  SetTicks(0);
  for (const int number : kSignals) ::signal(number, SIG_DFL);
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
  ::munmap(At<void>(kDataAddress), kDataBytes);
  ::munmap(At<void>(kCodeAddress), kCodeBytes);
  ::munmap(At<void>(kGateAddress), kGateCodeBytes + sizeof(GateState));
  ::munmap(writable_, kDataBytes + kCodeBytes);
}

void NativeMachine::SetImage(const DataImage& image) {
  image_ = image;
  std::memcpy(writable_, image.data(), kDataBytes);
  is_data_changed_ = false;
}

std::span<const std::uint8_t> NativeMachine::data() const {
  return {At<const std::uint8_t>(kDataAddress), kDataBytes};
}

void NativeMachine::Place(CpuMode mode, std::uint64_t rip, std::span<const std::uint8_t> code) {
  GB_CHECK(rip >= kCodeAddress && rip + code.size() + kExitBytes <= kCodeAddress + kCodeBytes);
  std::byte* const area = writable_ + kDataBytes;
  std::memset(area + (placed_at_ - kCodeAddress), kInt3, placed_bytes_);
  std::byte* const at = area + (rip - kCodeAddress);
  std::memcpy(at, code.data(), code.size());
  WriteExit(mode, rip + code.size(), at + code.size());
  placed_at_ = rip;
  placed_bytes_ = code.size() + kExitBytes;
  mode_ = mode;
}

void NativeMachine::PrepareData(std::span<const Patch> patches) {
  if (is_data_changed_) std::memcpy(writable_, image_.data(), kWritableBytes);
  is_data_changed_ = !patches.empty();
  Apply(patches, {At<std::uint8_t>(kDataAddress), kDataBytes});
}

void NativeMachine::Run(MachineState& state, std::span<const Patch> patches) {
  PrepareData(patches);
  const bool is_long = mode_ == CpuMode::kLong64;
  GateState& gate = Gate();
  gate.gpr = state.gpr;
  gate.rip = state.rip;
  gate.cs = is_long ? kCode64Selector : kCode32Selector;
  gate.rflags = state.rflags;
  gate.rsp = state.gpr[kRsp];
  gate.ss = kDataSelector;
  gate.fs_base = state.fs_base;
  gate.gs_base = state.gs_base;
  for (std::size_t i = 0; i < kGateSelectors.size(); ++i) {
    gate.selectors[i] = state.selectors[kGateSelectors[i]];
  }
  gate.xsave.fx = state.fx;
  gate.xsave.ymm_high = state.ymm_high;
  gate.xsave.parts = 7;
  gate.exits = gate.left_ss = 0;
  caught = {};
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  gate.inside = 1;
  // The gate keeps what the ABI wants to be kept; the compiler sees a call of a function.
  EnterGate();
  __atomic_signal_fence(__ATOMIC_SEQ_CST);

  // 32-bit code cannot name the upper eight registers; what a switch of modes does to them is
  // undefined.
  std::copy_n(gate.gpr.begin(), is_long ? 16 : 8, state.gpr.begin());
  state.rflags = gate.rflags;
  for (std::size_t i = 0; i < kGateSelectors.size(); ++i) {
    state.selectors[kGateSelectors[i]] = gate.selectors[i];
  }
  state.selectors[kSs] = static_cast<std::uint16_t>(gate.left_ss);
  state.fs_base = gate.fs_base;
  state.gs_base = gate.gs_base;
  state.fx = gate.xsave.fx;
  state.ymm_high = gate.xsave.ymm_high;
  if (gate.exits != 0) {
    state.ending = Ending::kReachedInt3;
    state.rip = placed_at_ + placed_bytes_ - kExitBytes;
  } else {
    state.ending = caught.ending;
    state.rip = gate.rip;
    state.fault_address = caught.fault_address;
    state.fault_access = caught.fault_access;
  }
}

std::string HostCpuName() {
  const auto names = CpuidLeaf(0);
  const auto version = CpuidLeaf(1)[0];
  std::array<char, 13> vendor{};
  for (const int i : {1, 3, 2}) {
    std::memcpy(vendor.data() + (i == 1   ? 0
                                 : i == 3 ? 4
                                          : 8),
                &names[static_cast<std::size_t>(i)], 4);
  }
  // Family and model: Intel SDM vol. 2A, CPUID, "Version Information".
  unsigned family = version >> 8 & 15;
  unsigned model = version >> 4 & 15;
  if (family == 6 || family == 15) model |= (version >> 16 & 15) << 4;
  if (family == 15) family += version >> 20 & 255;
  return fmt::format("{} family {} model {}", vendor.data(), family, model);
}

bool HostIsReferenceFamily() {
  const std::string name = HostCpuName();
  constexpr std::array<std::string_view, 3> kZen = {"family 23 ", "family 25 ", "family 26 "};
  if (!name.starts_with("AuthenticAMD")) return false;
  for (const std::string_view family : kZen) {
    if (name.find(family) != std::string::npos) return true;
  }
  return false;
}

}  // namespace glovebox::engine::x86
