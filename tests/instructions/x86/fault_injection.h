// A fault at every memory access of every handler: each page that an instruction touches is in turn
// made to fault, the state that a handler of the guest's would see is looked at, the page is put
// right, and the instruction is begun again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/isa/x86/vcpu.h"
#include "engine/memory/address_space.h"
#include "engine/memory/meter.h"
#include "tests/instructions/x86/test_case.h"

namespace glovebox::engine::x86 {

// What is wrong with a page.
enum class Injection : std::uint8_t {
  kUnmapped,
  kReadOnly,
  kHoldsCode,  // was decoded from; a store goes out of place
  kUncharged,  // not written yet: a store charges it
  kOverLimit,  // the same with nothing left to charge
};

// What came of one instruction, in every way that could be tried.
struct InjectionReport {
  std::uint64_t injections = 0;  // that made a difference to the access
  std::uint64_t digest = 0;      // over every state seen
  std::vector<std::string> mistakes;
};

class FaultInjector {
 public:
  explicit FaultInjector(CpuMode mode);

  // Adds to `report`. False: the instruction was not tried, because it does not run even
  // undisturbed.
  bool Try(const DecodedInstruction& instruction, std::span<const std::uint8_t> code,
           Random& random, InjectionReport& report);

 private:
  struct Seen;
  using Pages = std::vector<std::uint8_t>;

  void Map(std::uint64_t address, std::uint64_t size_bytes, std::uint8_t protection);
  std::uint64_t PageAddress(std::size_t page) const;
  void Fill(const Pages& content, std::optional<std::size_t> except);
  void Fresh(std::size_t page);
  void Inject(Injection injection, std::size_t page);
  void Repair(Injection injection, std::size_t page, const Pages& content);
  Seen Run(std::optional<MachineState> from);
  bool TryPage(Injection injection, std::size_t page, const MachineState& start,
               const Pages& before, const Seen& undisturbed, InjectionReport& report);
  std::string Describe(Injection injection, std::size_t page) const;

  CpuMode mode_;
  MemoryMeter meter_;
  std::unique_ptr<AddressSpace> memory_;
  std::unique_ptr<Vcpu> vcpu_;
  Surroundings around_;
  std::uint64_t withheld_bytes_ = 0;
  // Of the instruction that is tried.
  std::string text_;
  bool may_be_partial_ = false;
  bool raises_before_store_ = false;
};

}  // namespace glovebox::engine::x86
