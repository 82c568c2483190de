#include "tests/instructions/x86/fault_injection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "engine/base/check.h"
#include "tests/instructions/x86/guest_machine.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::size_t kPages = 8;
constexpr std::uint8_t kReadWrite = kProtRead | kProtWrite;
constexpr std::uint64_t kLimitBytes = 1_MiB;
constexpr std::size_t kTrapOffset = 0x800;  // where each page holds an INT3
constexpr std::uint64_t kMostIterations = 64;

constexpr Injection kInjections[] = {Injection::kReadOnly, Injection::kHoldsCode,
                                     Injection::kUncharged, Injection::kOverLimit};
constexpr const char* kInjectionNames[] = {"unmapped", "read-only", "holding code", "uncharged",
                                           "over the limit"};

// FNV-1a, 64 bits.
class Digester {
 public:
  explicit Digester(std::uint64_t start) : hash_(start == 0 ? 0xCBF29CE484222325 : start) {}
  void Add(const void* bytes, std::size_t size_bytes) {
    const auto* const at = static_cast<const std::uint8_t*>(bytes);
    for (std::size_t i = 0; i < size_bytes; ++i) hash_ = (hash_ ^ at[i]) * 0x100000001B3;
  }
  template <typename T>
  void Add(const T& value) {
    static_assert(std::has_unique_object_representations_v<T>);
    Add(&value, sizeof(value));
  }
  std::uint64_t hash() const { return hash_; }

 private:
  std::uint64_t hash_;
};

Surroundings MakeSurroundings() {
  Random random(20);
  return Surroundings(random);
}

bool PushesOrPopsMany(ZydisMnemonic mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_PUSHA || mnemonic == ZYDIS_MNEMONIC_PUSHAD ||
         mnemonic == ZYDIS_MNEMONIC_POPA || mnemonic == ZYDIS_MNEMONIC_POPAD ||
         mnemonic == ZYDIS_MNEMONIC_ENTER;
}

bool SameState(const MachineState& a, const MachineState& b) { return Same(a, b, Tolerance{}); }

}  // namespace

struct FaultInjector::Seen {
  Stop stop;
  MachineState state;
  Pages data;
  std::uint64_t retired = 0;

  bool IsFault() const {
    return stop.kind == StopKind::kMemoryFault || stop.kind == StopKind::kMemoryLimit;
  }
  // Of what a guest can see; memory as it differs from `before`.
  std::uint64_t Digest(std::uint64_t start, const Pages& before) const {
    Digester digester(start);
    digester.Add(stop.kind);
    if (IsFault()) {
      digester.Add(stop.memory.kind);
      digester.Add(stop.memory.access);
      digester.Add(stop.memory.address);
    }
    if (stop.kind == StopKind::kException) digester.Add(stop.exception);
    digester.Add(state.gpr);
    digester.Add(state.rip);
    digester.Add(state.rflags);
    digester.Add(state.selectors);
    digester.Add(state.fx.control);
    digester.Add(state.fx.status);
    digester.Add(state.fx.valid);
    digester.Add(state.fx.mxcsr);
    digester.Add(state.fx.st);
    digester.Add(state.fx.xmm);
    digester.Add(state.ymm_high);
    digester.Add(retired);
    for (std::size_t page = 0; page < data.size(); page += kPageSize) {
      if (std::memcmp(&data[page], &before[page], kPageSize) == 0) continue;
      for (std::size_t i = page; i < page + kPageSize; ++i) {
        if (data[i] == before[i]) continue;
        digester.Add(i);
        digester.Add(data[i]);
      }
    }
    return digester.hash();
  }
};

FaultInjector::FaultInjector(CpuMode mode)
    : mode_(mode), meter_(kLimitBytes), around_(MakeSurroundings()) {
  auto memory = AddressSpace::Make({.window_bytes = 4_GiB}, meter_);
  GB_CHECK(memory.has_value());
  memory_ = std::move(*memory);
  Map(kDataAddress, kPages * kPageSize, kReadWrite);
  Map(kCodeAddress, kCodeBytes, kProtRead | kProtExec);
  vcpu_ = std::make_unique<Vcpu>(*memory_, mode);
  SetTlsDescriptors(*vcpu_);
}

void FaultInjector::Map(std::uint64_t address, std::uint64_t size_bytes, std::uint8_t protection) {
  MapRequest request;
  request.address = address;
  request.size_bytes = size_bytes;
  request.protection = protection;
  request.fixed = true;
  GB_CHECK(memory_->Map(request).has_value());
}

std::uint64_t FaultInjector::PageAddress(std::size_t page) const {
  return kDataAddress + page * kPageSize;
}

void FaultInjector::Fill(const Pages& content, std::optional<std::size_t> except) {
  for (std::size_t page = 0; page < kPages; ++page) {
    if (page == except) continue;
    const auto bytes =
        std::as_bytes(std::span(content)).subspan(page * kPageSize, std::size_t{kPageSize});
    GB_CHECK(memory_->Poke(PageAddress(page), bytes) == kPageSize);
  }
}

// Nothing but zeros, and not charged.
void FaultInjector::Fresh(std::size_t page) {
  GB_CHECK(memory_->Unmap(PageAddress(page), kPageSize).has_value());
  Map(PageAddress(page), kPageSize, kReadWrite);
}

void FaultInjector::Inject(Injection injection, std::size_t page) {
  const std::uint64_t address = PageAddress(page);
  switch (injection) {
    case Injection::kUnmapped:
      GB_CHECK(memory_->Unmap(address, kPageSize).has_value());
      break;
    case Injection::kReadOnly:
      GB_CHECK(memory_->Protect(address, kPageSize, kProtRead).has_value());
      break;
    case Injection::kHoldsCode:
      GB_CHECK(memory_->Protect(address, kPageSize, kReadWrite | kProtExec).has_value());
      vcpu_->SetRip(address + kTrapOffset);
      GB_CHECK(vcpu_->Run(1).kind == StopKind::kException);
      break;
    case Injection::kUncharged:
      Fresh(page);
      break;
    case Injection::kOverLimit:
      Fresh(page);
      withheld_bytes_ = meter_.limit_bytes() - meter_.used_bytes();
      GB_CHECK(meter_.Charge(withheld_bytes_));
      break;
  }
}

void FaultInjector::Repair(Injection injection, std::size_t page, const Pages& content) {
  const std::uint64_t address = PageAddress(page);
  if (injection == Injection::kUnmapped) {
    Map(address, kPageSize, kReadWrite);
    const auto bytes =
        std::as_bytes(std::span(content)).subspan(page * kPageSize, std::size_t{kPageSize});
    GB_CHECK(memory_->Poke(address, bytes) == kPageSize);
  } else if (injection == Injection::kOverLimit) {
    meter_.Release(std::exchange(withheld_bytes_, 0));
  } else {
    GB_CHECK(memory_->Protect(address, kPageSize, kReadWrite).has_value());
  }
}

// One instruction, of a REP all iterations; from where the CPU stands where `from` is empty.
FaultInjector::Seen FaultInjector::Run(std::optional<MachineState> from) {
  if (from) LoadState(*vcpu_, *from);
  Seen seen;
  if (from) seen.state = *from;
  const std::uint64_t rip = vcpu_->rip();
  const Icount begin = vcpu_->icount();
  do {
    seen.stop = vcpu_->Run(1);
  } while ((seen.stop.kind == StopKind::kYield || seen.stop.kind == StopKind::kBudget) &&
           vcpu_->rip() == rip && vcpu_->icount() - begin < kMostIterations);
  seen.retired = vcpu_->icount() - begin;
  StoreState(*vcpu_, seen.state);
  seen.data.resize(kPages * kPageSize);
  for (std::size_t page = 0; page < kPages; ++page) {  // a page that is missing reads as zeros
    memory_->Peek(std::as_writable_bytes(std::span(seen.data)).subspan(page * kPageSize, kPageSize),
                  PageAddress(page));
  }
  return seen;
}

std::string FaultInjector::Describe(Injection injection, std::size_t page) const {
  return fmt::format("{}: page {:x} {}: ", text_, PageAddress(page),
                     kInjectionNames[static_cast<std::size_t>(injection)]);
}

// True: the page was touched so that the injection was noticed.
bool FaultInjector::TryPage(Injection injection, std::size_t page, const MachineState& start,
                            const Pages& before, const Seen& undisturbed, InjectionReport& report) {
  Fill(before, std::nullopt);
  Inject(injection, page);
  Seen seen = Run(start);
  report.digest = seen.Digest(report.digest, before);
  const bool faulted = seen.IsFault();
  const auto mistake = [&](std::string_view what, const MachineState& wanted, const Pages& data) {
    report.mistakes.push_back(
        fmt::format("{}{}\n{}{}", Describe(injection, page), what,
                    Differences(wanted, seen.state, Tolerance{}, "wanted", "got"),
                    DataDifferences(data, seen.data, "wanted", "got")));
  };
  if (faulted) {
    // The missing page aside, nothing may have changed.
    Pages expected = before;
    if (injection == Injection::kUnmapped || injection == Injection::kOverLimit) {
      std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(page * kPageSize), kPageSize,
                  std::uint8_t{0});
    }
    MachineState state = seen.state;
    if (raises_before_store_) state.fx.mxcsr = start.fx.mxcsr;
    const bool nothing_done = SameState(start, state) && expected == seen.data;
    if (!nothing_done && !may_be_partial_) mistake("half done", start, expected);
    if ((seen.stop.memory.address & ~(kPageSize - 1)) != PageAddress(page)) {
      mistake(fmt::format("the fault is at {:x}", seen.stop.memory.address), start, expected);
    }
    const std::uint64_t retired = seen.retired;
    Repair(injection, page, before);
    seen = Run(std::nullopt);
    seen.retired += retired;
    report.digest = seen.Digest(report.digest, before);
  } else {
    Repair(injection, page, before);
    if (injection == Injection::kUnmapped) {
      const auto at = static_cast<std::ptrdiff_t>(page * kPageSize);
      std::copy_n(before.begin() + at, kPageSize, seen.data.begin() + at);
    }
  }
  const bool as_undisturbed = SameState(undisturbed.state, seen.state) &&
                              undisturbed.data == seen.data &&
                              undisturbed.stop.kind == seen.stop.kind;
  if (!as_undisturbed) {
    mistake(faulted ? "begun again" : "without a fault", undisturbed.state, undisturbed.data);
  } else if (undisturbed.retired != seen.retired) {
    mistake(fmt::format("{} instructions instead of {}", seen.retired, undisturbed.retired),
            undisturbed.state, undisturbed.data);
  }
  return faulted;
}

bool FaultInjector::Try(const DecodedInstruction& instruction, std::span<const std::uint8_t> code,
                        Random& random, InjectionReport& report) {
  text_ = fmt::format("{}[{:02x}] {}", mode_ == CpuMode::kLong64 ? "" : "32 ", fmt::join(code, " "),
                      Disassemble(mode_, code, kCodeAddress));
  // A REP stops between iterations, a gather between elements; PUSHA, POPA and ENTER, as
  // hardware does, between pushes, with SP where it was.
  may_be_partial_ = PushesOrPopsMany(instruction.info.mnemonic) || instruction.Has(kRepeated) ||
                    std::ranges::any_of(instruction.All(), [](const ZydisDecodedOperand& operand) {
                      return operand.type == ZYDIS_OPERAND_TYPE_MEMORY &&
                             operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB;
                    });
  // Hardware's sticky flags are those of the conversion even where its store faults.
  raises_before_store_ = instruction.info.mnemonic == ZYDIS_MNEMONIC_VCVTPS2PH;
  GB_CHECK(memory_->Poke(kCodeAddress, std::as_bytes(code)) == code.size());
  Start start;
  start.state = RandomState(mode_, kCodeAddress, around_, random);
  start.state.rflags &= ~std::uint64_t{kTf | kAc};
  // Each operand at or across a border of its own.
  std::size_t border = 2;
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    const std::uint64_t size_bytes = std::max<std::uint64_t>(operand.size / 8, 1);
    const std::uint64_t back = random.Chance(40) ? random.Below(size_bytes) : 0;
    AimAt(mode_, instruction, operand, PageAddress(border) - back, start.state, random);
    border += 2;
  }
  Tame(mode_, instruction, around_.image, start, random);
  if (may_be_partial_ && instruction.Has(kRepeated)) {
    start.state.gpr[kRcx] = 1 + random.Below(6);
  }

  Pages before(kPages * kPageSize);
  for (std::size_t i = 0; i < before.size(); ++i) before[i] = around_.image[i % kDataBytes];
  for (std::size_t page = 0; page < kPages; ++page) before[page * kPageSize + kTrapOffset] = kInt3;
  Apply(start.patches, before);

  Fill(before, std::nullopt);
  const Seen undisturbed = Run(start.state);
  const bool runs = undisturbed.stop.kind == StopKind::kBudget ||
                    undisturbed.stop.kind == StopKind::kSyscall ||
                    (undisturbed.stop.kind == StopKind::kException &&
                     undisturbed.stop.exception != ExceptionKind::kNotImplemented);
  if (!runs) return false;
  report.digest = undisturbed.Digest(report.digest, before);
  for (std::size_t page = 0; page < kPages; ++page) {
    const bool touched =
        TryPage(Injection::kUnmapped, page, start.state, before, undisturbed, report);
    if (!touched) continue;
    ++report.injections;
    for (const Injection injection : kInjections) {
      if (injection == Injection::kUncharged || injection == Injection::kOverLimit) {
        Pages zeroed = before;
        std::fill_n(zeroed.begin() + static_cast<std::ptrdiff_t>(page * kPageSize), kPageSize,
                    std::uint8_t{0});
        Fill(zeroed, std::nullopt);
        const Seen of_zeros = Run(start.state);
        if (of_zeros.IsFault()) continue;
        if (TryPage(injection, page, start.state, zeroed, of_zeros, report)) ++report.injections;
      } else if (TryPage(injection, page, start.state, before, undisturbed, report)) {
        ++report.injections;
      }
    }
  }
  return true;
}

}  // namespace glovebox::engine::x86
