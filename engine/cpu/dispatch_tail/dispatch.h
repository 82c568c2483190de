// Dispatch by guaranteed tail calls (Clang): every handler jumps to the next one.
//
// The other choice is dispatch_loop/dispatch.h; handlers are written once and know of neither.
#pragma once

#include "engine/cpu/context.h"

// Of a function that handlers call on a path that is seldom taken: it keeps every register, so that
// the rest of the handler needs no stack frame.
#define GB_KEEPS_REGISTERS [[clang::preserve_all]]

namespace glovebox::engine {

inline constexpr bool kTailDispatch = true;

template <typename CpuType, typename Body>
__attribute__((preserve_none)) void RunHandler(CoreState* core, const Uop* uop, std::byte* memory,
                                               const std::uint8_t* flags) {
  BasicContext<CpuType> context{static_cast<CpuType&>(*core), uop, memory, flags};
  const Uop* const next = Body::Run(context);
  [[clang::musttail]] return next->handler(core, next, memory, flags);
}

// function(argument), which GB_KEEPS_REGISTERS, on a path that is seldom taken. In assembly: for a
// call that it knows of the compiler aligns the stack where the handler begins, on every path.
template <typename Function, typename T>
[[gnu::always_inline]] inline std::uint32_t CallAside(Function* function, T& argument) {
  std::uint32_t result;
  asm volatile(
      "movq %%rsp, %%r10\n\t"
      "leaq -128(%%rsp), %%rsp\n\t"  // what the handler keeps there is none of ours: the red zone
      "andq $-16, %%rsp\n\t"
      "pushq %%r10\n\t"
      "subq $8, %%rsp\n\t"
      "callq *%[function]\n\t"
      "movq 8(%%rsp), %%rsp"
      : "=a"(result)
      : [function] "r"(function), "D"(&argument)
      : "r10", "r11", "memory", "cc");
  return result;
}

// Back to whoever called Enter.
inline __attribute__((preserve_none)) void LeaveHandler(CoreState*, const Uop*, std::byte*,
                                                        const std::uint8_t*) {}

// Runs from `uop` until a handler leaves.
inline void Enter(CoreState& core, const Uop* uop) {
  uop->handler(&core, uop, core.memory, core.flags);
}

}  // namespace glovebox::engine
