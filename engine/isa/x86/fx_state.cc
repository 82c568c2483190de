#include "engine/isa/x86/fx_state.h"

#include <cstddef>
#include <cstring>

#include "engine/isa/x86/mxcsr.h"

namespace glovebox::engine::x86 {
namespace {

// The image, byte by byte.
struct FxImage {
  std::uint16_t control = 0;
  std::uint16_t status = 0;
  std::uint8_t valid = 0;  // the abridged tag word, by physical register
  std::uint8_t reserved = 0;
  std::uint16_t opcode = 0;
  std::uint64_t instruction_pointer = 0;
  std::uint64_t data_pointer = 0;
  std::uint32_t mxcsr = 0;
  std::uint32_t mxcsr_mask = kMxcsrValid;
  std::array<Float80, 8> st{};  // ST0 to ST7
  std::array<std::array<std::byte, 16>, 16> xmm{};
};
static_assert(sizeof(FxImage) == kFxImageBytes);
static_assert(sizeof(Float80) == 16);

std::uint8_t XmmCount(FxFormat format) { return format == FxFormat::kProtected32 ? 8 : 16; }
// Behind the pointers' 32 bits are the selectors, which are 0.
std::uint64_t Pointer(std::uint64_t value, FxFormat format) {
  return format == FxFormat::kLong64 ? value : static_cast<std::uint32_t>(value);
}

}  // namespace

void SaveFxImage(const Cpu& cpu, std::byte* image, FxFormat format) {
  FxImage fx;
  fx.control = cpu.x87.control;
  fx.status = cpu.x87.StatusWord();
  fx.valid = cpu.x87.valid;
  fx.opcode = cpu.x87.opcode;
  fx.instruction_pointer = Pointer(cpu.x87.instruction_pointer, format);
  fx.data_pointer = Pointer(cpu.x87.data_pointer, format);
  fx.mxcsr = cpu.mxcsr;
  for (unsigned i = 0; i < 8; ++i) fx.st[i] = cpu.x87.St(i);
  const std::uint8_t registers = XmmCount(format);
  for (std::uint8_t i = 0; i < registers; ++i) {
    fx.xmm[i] = ReadVector<std::array<std::byte, 16>>(cpu, i);
  }
  std::memcpy(image, &fx, offsetof(FxImage, xmm) + registers * sizeof(fx.xmm[0]));
}

bool RestoreFxImage(Cpu& cpu, const std::byte* image, FxFormat format) {
  FxImage fx;
  std::memcpy(&fx, image, sizeof(fx));
  if ((fx.mxcsr & ~kMxcsrValid) != 0) return false;
  cpu.x87.LoadControl(fx.control);
  cpu.x87.LoadStatus(fx.status);
  cpu.x87.valid = fx.valid;
  cpu.x87.opcode = fx.opcode & kX87OpcodeBits;
  cpu.x87.instruction_pointer = Pointer(fx.instruction_pointer, format);
  cpu.x87.data_pointer = Pointer(fx.data_pointer, format);
  cpu.mxcsr = fx.mxcsr;
  for (unsigned i = 0; i < 8; ++i) {
    Float80& to = cpu.x87.physical[cpu.x87.Physical(i)];
    to.significand = fx.st[i].significand;
    to.sign_exponent = fx.st[i].sign_exponent;
  }
  for (std::uint8_t i = 0; i < XmmCount(format); ++i) WriteVector(cpu, i, fx.xmm[i]);
  return true;
}

}  // namespace glovebox::engine::x86
