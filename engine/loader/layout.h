// Where things go in a fresh address space: Linux' address space layout randomisation, drawn from
// the job's seed.
#pragma once

#include "engine/base/random.h"
#include "engine/base/types.h"

namespace glovebox::engine {

inline constexpr std::uint64_t kStackBytes = 8_MiB;  // RLIMIT_STACK

// The window of an i386 program. Its addresses stay below kAddressEnd32, so that none looks like an
// errno: arch/x86/include/asm/page_64_types.h, IA32_PAGE_OFFSET.
inline constexpr std::uint64_t kWindowBytes32 = 4_GiB;
inline constexpr std::uint64_t kAddressEnd32 = 0xffffe000;

// The end of the addresses that a 64-bit program can map: page_64_types.h, TASK_SIZE_MAX.
inline constexpr GuestAddr kAddressEnd64 = 0x7fff'ffff'f000;
// Where the window of a position-independent program begins: where Linux puts such programs. The
// runtimes of sanitizers, which divide the addresses among them at link time, take what lies there
// for the program's own: AddressSanitizer what is above 16 TiB, ThreadSanitizer 85 to 86.5 TiB,
// MemorySanitizer 81 to 96 TiB.
inline constexpr GuestAddr kIndependentWindow = 0x5500'0000'0000;

// The end of the addresses that a program can use in a window.
constexpr std::uint64_t AddressEnd(std::uint64_t window_bytes, std::uint8_t word_bytes) {
  return word_bytes == 4 && window_bytes > kAddressEnd32 ? kAddressEnd32 : window_bytes;
}

struct AddressLayout {
  GuestAddr stack_top = 0;       // exclusive
  GuestAddr mmap_top = 0;        // exclusive; mappings grow down from here
  GuestAddr image_base = 0;      // of position-independent programs
  std::uint64_t brk_gap = 0;     // between the program's end and its heap
  std::uint64_t stack_skew = 0;  // below the strings: arch_align_stack
};

// Scales with the window, so that small windows of tests work alike. Everything is page aligned but
// stack_skew (16).
constexpr AddressLayout DrawLayout(GuestAddr window_start, std::uint64_t window_bytes,
                                   SeededRandom random) {
  const std::uint64_t spread_pages = window_bytes / 256 / kPageSize;  // 1 GiB of 256
  const auto pages = [&random](std::uint64_t below) { return random.Below(below) * kPageSize; };
  constexpr std::uint64_t kGuardGap = 1_MiB;  // Linux keeps 256 pages free below a stack
  AddressLayout layout;
  layout.stack_top = window_start + window_bytes - 1_MiB - pages(spread_pages);
  layout.mmap_top = layout.stack_top - kStackBytes - kGuardGap - pages(spread_pages);
  layout.image_base = window_start + PageFloor(window_bytes / 3) + pages(spread_pages);
  layout.brk_gap = pages(8192);
  layout.stack_skew = random.Below(512) * 16;
  return layout;
}

}  // namespace glovebox::engine
