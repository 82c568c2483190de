// What a signal frame holds of x87, SSE and AVX: the image of XSAVE, with Linux' marks in the bytes
// that hardware leaves to software. Sources: Intel SDM vol. 1, 13.4;
// arch/x86/include/uapi/asm/sigcontext.h
// (_fpx_sw_bytes, _xstate) of Linux 6.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace glovebox::engine::abi {

struct FloatMarks {
  std::uint32_t magic;          // kFloatMagic
  std::uint32_t extended_size;  // of the whole, with what stands before and behind the image
  std::uint64_t features;       // XCR0
  std::uint32_t image_size;
  std::array<std::uint32_t, 7> padding;
};
static_assert(sizeof(FloatMarks) == 48);
inline constexpr std::size_t kFloatMarksOffset = 464;

struct XsaveHeader {
  std::uint64_t present;    // XSTATE_BV
  std::uint64_t compacted;  // XCOMP_BV: 0 in this form
  std::array<std::uint64_t, 6> reserved;
};
static_assert(sizeof(XsaveHeader) == 64);

struct FloatFrame {
  std::array<std::byte, 512> fx;
  XsaveHeader header;
  std::array<std::array<std::uint64_t, 2>, 16> ymm_high;
  std::uint32_t end_mark;  // kFloatEndMagic
  std::uint32_t pad;       // not part of it
};
inline constexpr std::size_t kXsaveBytes = offsetof(FloatFrame, end_mark);
inline constexpr std::size_t kFloatFrameBytes = kXsaveBytes + sizeof(FloatFrame::end_mark);
static_assert(kXsaveBytes == 832);

inline constexpr std::uint32_t kFloatMagic = 0x46505853;
inline constexpr std::uint32_t kFloatEndMagic = 0x46505845;

enum XsaveFeature : std::uint64_t { kXsaveX87 = 1, kXsaveSse = 2, kXsaveAvx = 4 };
inline constexpr std::uint64_t kXsaveFeatures = kXsaveX87 | kXsaveSse | kXsaveAvx;

}  // namespace glovebox::engine::abi
