#include "tests/instructions/x86/native_gate.h"

// Offsets are those of GateState, which stands a page behind the code. Enter is a function without
// arguments, called at offset 0.
//
// The flags are put back because a signal handler's return leaves NT, with which IRET faults, as
// the code under test had it. LDMXCSR, FNINIT and VZEROUPPER give the compiler's code what the ABI
// promises (System V ABI x86-64, 3.2.3); the arithmetic registers themselves are the callee's to
// change.
asm(R"(
  .pushsection .text
  .balign 64
glovebox_gate_begin:
  .set STATE, glovebox_gate_begin + 4096
  pushq %rbx
  pushq %rbp
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  pushfq
  popq STATE+208(%rip)
  movq %rsp, STATE+200(%rip)
  rdfsbase %rax
  movq %rax, STATE+184(%rip)
  rdgsbase %rax
  movq %rax, STATE+192(%rip)
  movw STATE+216(%rip), %es
  movw STATE+218(%rip), %ds
  movw STATE+220(%rip), %fs
  movw STATE+222(%rip), %gs
  movq STATE+168(%rip), %rax
  wrfsbase %rax
  movq STATE+176(%rip), %rax
  wrgsbase %rax
  movl $7, %eax
  xorl %edx, %edx
  xrstor64 STATE+384(%rip)
  movq STATE+0(%rip), %rax
  movq STATE+8(%rip), %rcx
  movq STATE+16(%rip), %rdx
  movq STATE+24(%rip), %rbx
  movq STATE+40(%rip), %rbp
  movq STATE+48(%rip), %rsi
  movq STATE+56(%rip), %rdi
  movq STATE+64(%rip), %r8
  movq STATE+72(%rip), %r9
  movq STATE+80(%rip), %r10
  movq STATE+88(%rip), %r11
  movq STATE+96(%rip), %r12
  movq STATE+104(%rip), %r13
  movq STATE+112(%rip), %r14
  movq STATE+120(%rip), %r15
  leaq STATE+128(%rip), %rsp
  iretq

glovebox_gate_exit:
  movq %rsp, STATE+32(%rip)
  leaq STATE+384(%rip), %rsp
  pushfq
  popq STATE+144(%rip)
  pushq STATE+208(%rip)
  popfq
  movq %rax, STATE+0(%rip)
  movq %rcx, STATE+8(%rip)
  movq %rdx, STATE+16(%rip)
  movq %rbx, STATE+24(%rip)
  movq %rbp, STATE+40(%rip)
  movq %rsi, STATE+48(%rip)
  movq %rdi, STATE+56(%rip)
  movq %r8, STATE+64(%rip)
  movq %r9, STATE+72(%rip)
  movq %r10, STATE+80(%rip)
  movq %r11, STATE+88(%rip)
  movq %r12, STATE+96(%rip)
  movq %r13, STATE+104(%rip)
  movq %r14, STATE+112(%rip)
  movq %r15, STATE+120(%rip)
  movl $7, %eax
  xorl %edx, %edx
  xsave64 STATE+384(%rip)
  rdfsbase %rax
  movq %rax, STATE+168(%rip)
  rdgsbase %rax
  movq %rax, STATE+176(%rip)
  movw %es, STATE+216(%rip)
  movw %ds, STATE+218(%rip)
  movw %fs, STATE+220(%rip)
  movw %gs, STATE+222(%rip)
  movw %ss, STATE+240(%rip)
  movq $1, STATE+232(%rip)

glovebox_gate_resume:
  movq STATE+184(%rip), %rax
  wrfsbase %rax
  movq STATE+192(%rip), %rax
  wrgsbase %rax
  movq $0, STATE+224(%rip)
  vzeroupper
  fninit
  movq STATE+200(%rip), %rsp
  pushq STATE+208(%rip)
  popfq
  pushq $0x1f80
  ldmxcsr (%rsp)
  popq %rax
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbp
  popq %rbx
  ret
glovebox_gate_end:
  .popsection
)");

extern "C" {
extern const std::byte glovebox_gate_begin[], glovebox_gate_exit[], glovebox_gate_resume[],
    glovebox_gate_end[];
}

namespace glovebox::engine::x86 {

GateCode GetGateCode() {
  return {glovebox_gate_begin, static_cast<std::size_t>(glovebox_gate_end - glovebox_gate_begin),
          static_cast<std::size_t>(glovebox_gate_exit - glovebox_gate_begin),
          static_cast<std::size_t>(glovebox_gate_resume - glovebox_gate_begin)};
}

}  // namespace glovebox::engine::x86
