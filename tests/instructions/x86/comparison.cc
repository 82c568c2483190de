#include "tests/instructions/x86/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tests/instructions/x86/encoding.h"
#include "tests/instructions/x86/program.h"
#include "tests/instructions/x86/sequence.h"
#include "tests/instructions/x86/vector_file.h"

namespace glovebox::engine::x86 {
namespace {

// Endless loops take long to see; what is not small by then is printed as it is.
constexpr std::chrono::seconds kShrinkTime(8);

}  // namespace

void Comparison::SetImage(NativeMachine& native, const DataImage& image) {
  native_ = &native;
  image_ = image;
  native.SetImage(image);
  guest_.SetImage(image);
}

void Comparison::Begin(const TestCase& test) {
  native_->Place(test.mode, test.rip, test.code);
  guest_.Place(test.rip, test.code);
  test_ = &test;
  touches_memory_ = test.is_sequence || test.instructions.empty() ||
                    test.instructions.front().FirstMemory() != nullptr;
}

bool Comparison::DataDiffers() const {
  return std::memcmp(native_->data().data(), guest_.data().data(), kDataBytes) != 0;
}

void Comparison::MarkDataChanged() {
  native_->MarkDataChanged();
  guest_.MarkDataChanged();
}

Outcome Comparison::Run(const Start& start, bool in_blocks, bool is_last) {
  start_ = start;
  in_blocks_ = in_blocks || test_->is_sequence;
  why_.clear();
  native_left_ = guest_left_ = start.state;
  native_->Run(native_left_, start.patches);
  guest_.Run(guest_left_, start.patches, in_blocks_);
  if (guest_left_.ending == Ending::kNotImplemented) {
    MarkDataChanged();
    return Outcome::kNotImplemented;
  }
  // What faults half way through several accesses may have done the first of them.
  const bool may_be_torn = native_left_.ending != Ending::kReachedInt3 &&
                           native_left_.ending == guest_left_.ending &&
                           test_->tolerance.ignore_fault_address;
  bool changed = false;
  bool same = Same(native_left_, guest_left_, test_->tolerance);
  if (touches_memory_ || is_last) {
    const bool differs = DataDiffers();
    changed = differs || std::memcmp(native_->data().data(), image_.data(), kDataBytes) != 0;
    if (changed) MarkDataChanged();
    if (differs && !may_be_torn) {
      why_ = DataDifferences(native_->data(), guest_.data());
      same = false;
    }
  }
  if (!test_->is_sequence) return same ? Outcome::kSame : Outcome::kDifferent;

  const std::uint64_t retired = guest_.retired();
  MachineState stepped = start.state;
  guest_.Run(stepped, start.patches, /*in_blocks=*/false);
  if (!Same(guest_left_, stepped, Tolerance{}) || retired != guest_.retired()) {
    why_ += Differences(guest_left_, stepped, Tolerance{}, "in blocks", "in steps");
    if (retired != guest_.retired()) {
      why_ += fmt::format("  instructions: in blocks {}, in steps {}\n", retired, guest_.retired());
    }
    same = false;
  }
  if (changed) guest_.MarkDataChanged();
  if (changed && DataDiffers() && !may_be_torn && same) {
    why_ += "  in steps:\n" + DataDifferences(native_->data(), guest_.data());
    same = false;
  }
  return same ? Outcome::kSame : Outcome::kDifferent;
}

std::string Comparison::Describe() const {
  return Differences(native_left_, guest_left_, test_->tolerance) + why_;
}

bool Comparison::DiffersFrom(const MachineState& state, const DataImage& image) {
  if (std::chrono::steady_clock::now() > shrink_until_) return false;
  if (!test_->is_sequence && !test_->instructions.empty() &&
      !AreInside(test_->mode, test_->instructions.front(), state)) {
    return false;
  }
  native_->SetImage(image);
  guest_.SetImage(image);
  Start start;
  start.state = state;
  return Run(start, in_blocks_, true) == Outcome::kDifferent;
}

bool Comparison::TryState(const MachineState& state) {
  const MachineState before = start_.state;
  if (DiffersFrom(state, image_)) return true;
  start_.state = before;
  return false;
}

bool Comparison::TryImage(const DataImage& image) {
  const MachineState before = start_.state;
  if (DiffersFrom(before, image)) {
    image_ = image;
    return true;
  }
  start_.state = before;
  return false;
}

void Comparison::ShrinkState() {
  const MachineState plain = VectorStart(shrunk_.mode);
  const auto attempt = [&](const auto& change) {
    MachineState state = start_.state;
    change(state);
    TryState(state);
  };
  const ReservedRegisters reserved = Reserved(shrunk_.mode);
  for (std::size_t i = 0; i < 16; ++i) {
    const int number = static_cast<int>(i);
    const bool is_reserved = shrunk_.is_sequence && (number == reserved.inside || number == kRsp ||
                                                     number == reserved.near_border);
    // From 0 the counter would go round.
    const bool is_counter = test_->is_sequence && number == reserved.counter;
    const std::uint64_t least = is_counter ? 1 : plain.gpr[i];
    if (!is_reserved) attempt([&](MachineState& s) { s.gpr[i] = least; });
  }
  attempt([&](MachineState& s) { s.rflags = plain.rflags; });
  for (std::uint64_t bit = 1; bit <= kOf; bit <<= 1) {
    if ((kComparedFlags & bit) != 0) attempt([&](MachineState& s) { s.rflags &= ~bit; });
  }
  attempt([&](MachineState& s) {
    const auto xmm = s.fx.xmm;
    s.fx = plain.fx;
    s.fx.xmm = xmm;
  });
  attempt([&](MachineState& s) { s.fx.mxcsr = plain.fx.mxcsr; });
  attempt([&](MachineState& s) { s.fx.control = plain.fx.control; });
  attempt([&](MachineState& s) { s.fx.status = plain.fx.status; });
  attempt([&](MachineState& s) { s.fx.valid = plain.fx.valid; });
  for (std::size_t i = 0; i < 8; ++i) attempt([&](MachineState& s) { s.fx.st[i] = {}; });
  for (std::size_t i = 0; i < 16; ++i) {
    attempt([&](MachineState& s) { s.ymm_high[i] = {}; });
    attempt([&](MachineState& s) { s.fx.xmm[i] = {}; });
    for (std::size_t half = 0; half < 2; ++half) {
      attempt([&](MachineState& s) { s.ymm_high[i][half] = 0; });
      attempt([&](MachineState& s) { s.fx.xmm[i][half] = 0; });
    }
  }
  attempt([&](MachineState& s) {
    s.selectors = plain.selectors;
    s.fs_base = s.gs_base = 0;
  });
}

// Zeros where they will do, down to eight bytes.
void Comparison::ShrinkImage(std::size_t begin, std::size_t end) {
  DataImage image = image_;
  std::fill(image.begin() + static_cast<std::ptrdiff_t>(begin),
            image.begin() + static_cast<std::ptrdiff_t>(end), std::uint8_t{0});
  if (image == image_ || TryImage(image) || end - begin <= 8) return;
  const std::size_t middle = (begin + end) / 2;
  ShrinkImage(begin, middle);
  ShrinkImage(middle, end);
}

// Takes away what does not matter of a sequence, and moves the code to where vectors stand.
void Comparison::ShrinkCode() {
  const auto attempt = [&](const TestCase& test, const MachineState& state) {
    const TestCase before = shrunk_;
    const MachineState state_before = start_.state;
    shrunk_ = test;
    native_->Place(test.mode, test.rip, test.code);
    guest_.Place(test.rip, test.code);
    if (DiffersFrom(state, image_)) return;
    shrunk_ = before;
    start_.state = state_before;
    native_->Place(shrunk_.mode, shrunk_.rip, shrunk_.code);
    guest_.Place(shrunk_.rip, shrunk_.code);
  };
  const int counter = Reserved(shrunk_.mode).counter;
  const std::size_t length = shrunk_.is_sequence ? shrunk_.instructions.size() : 0;
  for (std::size_t i = length; i-- > 0;) {
    const DecodedInstruction& instruction = shrunk_.instructions[i];
    const bool counts = instruction.info.mnemonic == ZYDIS_MNEMONIC_DEC &&
                        GprNumber(instruction.operands[0].reg.value) == counter;
    if (counts || IsSetup(instruction)) continue;  // the loop would not end; strays would do harm
    Program program = Disassembled(shrunk_.code, shrunk_.instructions);
    program.Remove(i);
    TestCase test = shrunk_;
    test.code = program.Assemble();
    test.instructions.erase(test.instructions.begin() + static_cast<std::ptrdiff_t>(i));
    attempt(test, start_.state);
  }
  TestCase test = shrunk_;
  MachineState state = start_.state;
  test.rip = state.rip = kCodeAddress;
  attempt(test, state);
}

std::string Comparison::ShrinkToVector() {
  shrunk_ = *test_;
  test_ = &shrunk_;
  shrink_until_ = std::chrono::steady_clock::now() + kShrinkTime;
  // Patches become a part of the image.
  DataImage image = image_;
  Apply(start_.patches, image);
  if (!TryImage(image)) {
    return fmt::format("(does not differ when it is run again) {}\n",
                       Disassemble(shrunk_.mode, shrunk_.code, shrunk_.rip));
  }
  for (int i = 0; i < 2; ++i) {
    ShrinkCode();
    ShrinkState();
    ShrinkImage(0, kDataBytes);
  }
  shrink_until_ = std::chrono::steady_clock::time_point::max();
  DiffersFrom(MachineState(start_.state), image_);
  return FormatVector(shrunk_.mode, shrunk_.code, start_.state, image_, native_left_,
                      native_->data(), shrunk_.tolerance) +
         "\n" + Describe();
}

}  // namespace glovebox::engine::x86
