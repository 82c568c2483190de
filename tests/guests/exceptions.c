// What a program is told of each exception of its CPU: signal, si_code and si_addr, where it stood,
// and the kernel's account in the context (trap number, error code, address).
// arch/x86/kernel/traps.c, arch/x86/mm/fault.c; Intel SDM vol. 3A, chapter 6.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "check.h"

enum { kPage = 4096, kKernel = 0x80, kTrace = 2, kIcebp = 1 };

// Where the code of a row runs, and what it may name: data, a page that can only be read, nothing.
#define CODE 0x20000000
#define DATA 0x10000000
#define READ_ONLY 0x10001000
#define HOLE 0x10002000
#define BEHIND_CODE 0x20001000
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define TO_AX(address) "mov $" TEXT(address) ", %eax\n"
#ifdef __x86_64__
#define AX "%rax"
#define SP "%rsp"
#define POPF "popfq\n"
#define PUSHF "pushfq\n"
#else
#define AX "%eax"
#define SP "%esp"
#define POPF "popfl\n"
#define PUSHF "pushfl\n"
#endif
#define AT ".set at, .\n"  // what the instruction pointer is shown as
#define SET_FLAG(flag) PUSHF "orl $" TEXT(flag) ", (" SP ")\n" POPF
#define UNMASK_X87(control) \
  "fninit\n" TO_AX(DATA + 64) "movw $" TEXT(control) ", (" AX ")\nfldcw (" AX ")\n"
#define UNMASK_SSE(mxcsr) TO_AX(DATA + 64) "movl $" TEXT(mxcsr) ", (" AX ")\nldmxcsr (" AX ")\n"
#define SSE_NUMBER(bits, reg) "mov $" TEXT(bits) ", %ecx\nmovd %ecx, " reg "\n"

// name, code, signal, si_code, si_addr (HERE: the instruction pointer), trap number, error code
#define HERE 1
#define ROWS_OF_BOTH(ROW)                                                                          \
  ROW(div_by_0, "xor %edx, %edx\nxor %ecx, %ecx\n" AT "div %ecx", SIGFPE, FPE_INTDIV, HERE, 0, 0)  \
  ROW(idiv_overflows, "mov $0x80000000, %eax\ncltd\nmov $-1, %ecx\n" AT "idiv %ecx", SIGFPE,       \
      FPE_INTDIV, HERE, 0, 0)                                                                      \
  ROW(single_step, SET_FLAG(0x100) "nop\n" AT "nop", SIGTRAP, kTrace, HERE, 1, 0)                  \
  ROW(single_step_of_rep,                                                                          \
      "mov $3, %ecx\n" TO_AX(DATA) "mov " AX ", " DI "\n" SET_FLAG(0x100) AT "rep stosb", SIGTRAP, \
      kTrace, HERE, 1, 0)                                                                          \
  ROW(int1, ".byte 0xf1\n" AT, SIGTRAP, kIcebp, HERE, 1, 0)                                        \
  ROW(breakpoint, "int3\n" AT, SIGTRAP, kKernel, 0, 3, 0)                                          \
  ROW(int_3, ".byte 0xcd, 3\n" AT, SIGTRAP, kKernel, 0, 3, 0)                                      \
  ROW(int_4, ".byte 0xcd, 4\n" AT, SIGSEGV, kKernel, 0, 4, 0)                                      \
  ROW(int_1, AT ".byte 0xcd, 1", SIGSEGV, kKernel, 0, 13, 1 << 3 | 2)                              \
  ROW(ud2, AT "ud2", SIGILL, ILL_ILLOPN, HERE, 6, 0)                                               \
  ROW(ud1, AT "ud1 %eax, %ecx", SIGILL, ILL_ILLOPN, HERE, 6, 0)                                    \
  ROW(lock_nop, AT ".byte 0xf0, 0x90", SIGILL, ILL_ILLOPN, HERE, 6, 0)                             \
  ROW(lock_add_register, AT ".byte 0xf0, 0x01, 0xc8", SIGILL, ILL_ILLOPN, HERE, 6, 0)              \
  ROW(lock_vaddps, AT ".byte 0xf0, 0xc5, 0xf0, 0x58, 0xc2", SIGILL, ILL_ILLOPN, HERE, 6, 0)        \
  ROW(load_cs, AT ".byte 0x8e, 0xc8", SIGILL, ILL_ILLOPN, HERE, 6, 0)                              \
  ROW(hlt, AT "hlt", SIGSEGV, kKernel, 0, 13, 0)                                                   \
  ROW(cli, AT "cli", SIGSEGV, kKernel, 0, 13, 0)                                                   \
  ROW(in, AT "in %dx, %al", SIGSEGV, kKernel, 0, 13, 0)                                            \
  ROW(rdmsr, AT "rdmsr", SIGSEGV, kKernel, 0, 13, 0)                                               \
  ROW(read_cr0, AT ".byte 0x0f, 0x20, 0xc0", SIGSEGV, kKernel, 0, 13, 0)                           \
  ROW(xsetbv, AT "xsetbv", SIGSEGV, kKernel, 0, 13, 0)                                             \
  ROW(xgetbv_99, "mov $99, %ecx\n" AT "xgetbv", SIGSEGV, kKernel, 0, 13, 0)                        \
  ROW(int_0x21, AT "int $0x21", SIGSEGV, kKernel, 0, 13, 0x21 << 3 | 2)                            \
  ROW(sixteen_bytes, AT ".fill 15, 1, 0x66\nnop", SIGSEGV, kKernel, 0, 13, 0)                      \
  ROW(misaligned_movaps, TO_AX(DATA + 4) AT "movaps (" AX "), %xmm0", SIGSEGV, kKernel, 0, 13, 0)  \
  ROW(ldmxcsr_reserved, TO_AX(DATA + 64) "movl $-1, (" AX ")\n" AT "ldmxcsr (" AX ")", SIGSEGV,    \
      kKernel, 0, 13, 0)                                                                           \
  ROW(fxrstor_reserved, TO_AX(DATA + 512) "movl $-1, 24(" AX ")\n" AT "fxrstor (" AX ")", SIGSEGV, \
      kKernel, 0, 13, 0)                                                                           \
  ROW(fxsave_misaligned, TO_AX(DATA + 8) AT "fxsave (" AX ")", SIGSEGV, kKernel, 0, 13, 0)         \
  ROW(null_ss, "xor %eax, %eax\n" AT "mov %eax, %ss", SIGSEGV, kKernel, 0, 13, 0)                  \
  ROW(kernels_ds, "mov $0x10, %eax\n" AT "mov %eax, %ds", SIGSEGV, kKernel, 0, 13, 0x10)           \
  ROW(alignment_check, SET_FLAG(0x40000) TO_AX(DATA + 1) AT "mov (" AX "), %ecx", SIGBUS,          \
      BUS_ADRALN, 0, 17, 0)                                                                        \
  ROW(load_from_nowhere, TO_AX(HOLE + 12) AT "mov (" AX "), %ecx", SIGSEGV, SEGV_MAPERR,           \
      HOLE + 12, 14, 4)                                                                            \
  ROW(load_that_ends_nowhere, TO_AX(HOLE - 2) AT "mov (" AX "), %ecx", SIGSEGV, SEGV_MAPERR, HOLE, \
      14, 4)                                                                                       \
  ROW(store_to_nowhere, TO_AX(HOLE) AT "mov %ecx, (" AX ")", SIGSEGV, SEGV_MAPERR, HOLE, 14, 6)    \
  ROW(increment_of_nowhere, TO_AX(HOLE) AT "incl (" AX ")", SIGSEGV, SEGV_MAPERR, HOLE, 14, 6)     \
  ROW(store_to_read_only, TO_AX(READ_ONLY) "mov (" AX "), %ecx\n" AT "mov %ecx, (" AX ")",         \
      SIGSEGV, SEGV_ACCERR, READ_ONLY, 14, 7)                                                      \
  ROW(jump_to_nowhere, TO_AX(HOLE + 3) "jmp *" AX "\n.set at, begin + 0x10002003 - 0x20000000\n",  \
      SIGSEGV, SEGV_MAPERR, HOLE + 3, 14, 0x14)                                                    \
  ROW(jump_to_data, TO_AX(DATA) "jmp *" AX "\n.set at, begin + 0x10000000 - 0x20000000\n",         \
      SIGSEGV, SEGV_ACCERR, DATA, 14, 0x15)                                                        \
  ROW(x87_divides_by_0, UNMASK_X87(0x37b) "fld1\nfldz\nfdivrp\nnop\n" AT "fwait", SIGFPE,          \
      FPE_FLTDIV, HERE, 16, 0)                                                                     \
  ROW(x87_stack_fault, UNMASK_X87(0x37e) "fld %st(0)\n" AT "fld1", SIGFPE, FPE_FLTINV, HERE, 16,   \
      0)                                                                                           \
  ROW(x87_inexact, UNMASK_X87(0x35f) "fldpi\nfsqrt\n" AT "fstp %st(0)", SIGFPE, FPE_FLTRES, HERE,  \
      16, 0)                                                                                       \
  ROW(x87_before_mmx, UNMASK_X87(0x37b) "fld1\nfldz\nfdivrp\n" AT "paddb %mm0, %mm0", SIGFPE,      \
      FPE_FLTDIV, HERE, 16, 0)                                                                     \
  ROW(sse_divides_by_0,                                                                            \
      UNMASK_SSE(0x1d80) SSE_NUMBER(0x3f800000, "%xmm0") "xorps %xmm1, %xmm1\n" AT                 \
                                                         "divss %xmm1, %xmm0",                     \
      SIGFPE, FPE_FLTDIV, HERE, 19, 0)                                                             \
  ROW(sse_invalid, UNMASK_SSE(0x1f00) "xorps %xmm1, %xmm1\n" AT "divps %xmm1, %xmm1", SIGFPE,      \
      FPE_FLTINV, HERE, 19, 0)                                                                     \
  ROW(sse_denormal, UNMASK_SSE(0x1e80) SSE_NUMBER(1, "%xmm0") AT "addss %xmm0, %xmm0", SIGFPE,     \
      FPE_FLTUND, HERE, 19, 0)                                                                     \
  ROW(sse_overflow, UNMASK_SSE(0x1b80) SSE_NUMBER(0x7f7fffff, "%xmm0") AT "mulss %xmm0, %xmm0",    \
      SIGFPE, FPE_FLTOVF, HERE, 19, 0)                                                             \
  ROW(sse_underflow, UNMASK_SSE(0x1780) SSE_NUMBER(0x00800001, "%xmm0") AT "mulss %xmm0, %xmm0",   \
      SIGFPE, FPE_FLTUND, HERE, 19, 0)                                                             \
  ROW(sse_inexact, UNMASK_SSE(0x0f80) SSE_NUMBER(0x40400000, "%xmm0") AT "sqrtss %xmm0, %xmm0",    \
      SIGFPE, FPE_FLTRES, HERE, 19, 0)

// The rows whose code stands at the end of its page, so that its last bytes are missing.
#define ROWS_CUT_OFF(ROW)                                                                          \
  ROW(immediate_is_missing, AT ".byte 0xb8, 1", SIGSEGV, SEGV_MAPERR, BEHIND_CODE, 14, 0x14)       \
  ROW(opcode_is_missing, AT ".byte 0x0f", SIGSEGV, SEGV_MAPERR, BEHIND_CODE, 14, 0x14)             \
  ROW(modrm_of_ud1_is_missing, AT ".byte 0x0f, 0xb9", SIGSEGV, SEGV_MAPERR, BEHIND_CODE, 14, 0x14) \
  ROW(nothing_of_ud2_is_missing, AT "ud2", SIGILL, ILL_ILLOPN, HERE, 6, 0)                         \
  ROW(running_on, "nop\nnop\n" AT, SIGSEGV, SEGV_MAPERR, BEHIND_CODE, 14, 0x14)

#ifdef __x86_64__
#define DI "%rdi"
#define ROWS_OF_ONE(ROW)                                                                           \
  ROW(push_beyond, "mov $0x8000000000000000, %rsp\n" AT "push %rax", SIGBUS, kKernel, 0, 12, 0)    \
  ROW(load_by_rbp_beyond, "mov $0x8000000000000000, %rbp\n" AT "mov 8(%rbp), %rax", SIGBUS,        \
      kKernel, 0, 12, 0)                                                                           \
  ROW(load_beyond, "mov $0x8000000000000000, %rax\n" AT "mov (%rax), %ecx", SIGSEGV, kKernel, 0,   \
      13, 0)                                                                                       \
  ROW(load_over_the_end, "mov $0x7ffffffffffe, %rax\n" AT "mov (%rax), %ecx", SIGSEGV, kKernel, 0, \
      13, 0)                                                                                       \
  ROW(jump_beyond, "mov $0x8000000000000000, %rax\n" AT "jmp *%rax", SIGSEGV, kKernel, 0, 13, 0)   \
  ROW(return_beyond, "mov $0x8000000000000000, %rax\npush %rax\n" AT "ret", SIGSEGV, kKernel, 0,   \
      13, 0)                                                                                       \
  ROW(load_from_the_kernel, "mov $-4096, %rax\n" AT "mov (%rax), %ecx", SIGSEGV, SEGV_MAPERR,      \
      -4096l, 14, 5)                                                                               \
  ROW(cmpxchg16b_misaligned, TO_AX(DATA + 8) AT "cmpxchg16b (%rax)", SIGSEGV, kKernel, 0, 13, 0)   \
  ROW(push_es, AT ".byte 0x06", SIGILL, ILL_ILLOPN, HERE, 6, 0)                                    \
  ROW(aam, AT ".byte 0xd4, 0x0a", SIGILL, ILL_ILLOPN, HERE, 6, 0)
#else
#define DI "%edi"
#define ROWS_OF_ONE(ROW)                                                                      \
  ROW(aam_0, AT "aam $0", SIGFPE, FPE_INTDIV, HERE, 0, 0)                                     \
  ROW(into, "mov $0x7f, %al\nadd $1, %al\ninto\n" AT, SIGSEGV, kKernel, 0, 4, 0)              \
  ROW(bound, TO_AX(DATA) "mov $5, %ecx\n" AT "bound %ecx, (%eax)", SIGSEGV, kKernel, 0, 5, 0) \
  ROW(bound_to_registers, AT ".byte 0x62, 0xc0", SIGILL, ILL_ILLOPN, HERE, 6, 0)              \
  ROW(store_through_cs, TO_AX(DATA) AT "mov %eax, %cs:(%eax)", SIGSEGV, kKernel, 0, 13, 0)    \
  ROW(empty_gs, "mov $0x73, %eax\n" AT "mov %eax, %gs", SIGSEGV, kKernel, 0, 13, 0x70)
#endif
#define ROWS(ROW) ROWS_OF_BOTH(ROW) ROWS_OF_ONE(ROW) ROWS_CUT_OFF(ROW)

// The code of each row, and where in it `at` is.
#define ASSEMBLE(name, code, ...)                                                   \
  __asm__(".pushsection .rodata\n" #name "_begin:\n.set begin, .\n" code "\n" #name \
          "_end:\n.long at - begin\n.popsection\n");                                \
  extern const unsigned char name##_begin[], name##_end[];
ROWS(ASSEMBLE)

static const struct Row {
  const char* name;
  const unsigned char *begin, *end;
  int signal, code;
  long address;
  int trap, error;
} kRows[] = {
#define DESCRIBE(name, code, ...) {#name, name##_begin, name##_end, __VA_ARGS__},
    ROWS(DESCRIBE)};
enum {
#define COUNT(...) +1
  kCutOff = ROWS_CUT_OFF(COUNT),
  kCount = sizeof kRows / sizeof *kRows
};

static sigjmp_buf back;
static siginfo_t told;
static mcontext_t shown;

static void OnSignal(int number, siginfo_t* info, void* context) {
  // AC is still as the row has set it, and libraries do not care.
  __asm__ volatile(PUSHF "andl $~0x40000, (" SP ")\n" POPF "fninit");
  told = *info;
  shown = ((ucontext_t*)context)->uc_mcontext;
  siglongjmp(back, number);
}

static void Map(uintptr_t at, int protection) {
  void* const got =
      mmap((void*)at, kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(got == (void*)at);
}

static void Differ(const struct Row* row, const char* what, long got, long wanted) {
  if (got == wanted) return;
  printf("%s: %s is %#lx, not %#lx\n", row->name, what, got, wanted);
  ++failures;
}

static void Run(const struct Row* row, int is_cut_off) {
  const size_t length = (size_t)(row->end - row->begin);
  int offset;
  memcpy(&offset, row->end, sizeof offset);
  unsigned char* code = (unsigned char*)CODE + (is_cut_off ? kPage - length : 0);
  memset((void*)CODE, 0x90, kPage);
  memcpy(code, row->begin, length);
  if (!is_cut_off) memcpy(code + length, "\xcd\x80", 2);  // nobody should get there
  memset((void*)DATA, 0, kPage);
  const int number = sigsetjmp(back, 1);
  if (number == 0) {
    __asm__ volatile("jmp *%0" ::"r"(code) : "memory");
    __builtin_unreachable();
  }
  const unsigned mxcsr = 0x1f80;
  __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
#ifdef __x86_64__
  const long ip = shown.gregs[REG_RIP];
  const long fault_address = shown.gregs[REG_CR2];
#else
  const long ip = shown.gregs[REG_EIP];
  const long fault_address = (long)shown.cr2;
#endif
  Differ(row, "signal", number, row->signal);
  Differ(row, "si_signo", told.si_signo, row->signal);
  Differ(row, "si_code", told.si_code, row->code);
  Differ(row, "si_errno", told.si_errno, 0);
  Differ(row, "si_addr", (long)told.si_addr, row->address == HERE ? ip : row->address);
  Differ(row, "instruction pointer", ip, (long)(code + offset));
  Differ(row, "trap number", (long)shown.gregs[REG_TRAPNO], row->trap);
  Differ(row, "error code", (long)shown.gregs[REG_ERR], row->error);
  if (row->trap == 14) Differ(row, "fault address", fault_address, row->address);
}

int main(void) {
  static unsigned char stack[1 << 16] __attribute__((aligned(16)));
  const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
  CHECK_EQ(sigaltstack(&other, NULL), 0);
  struct sigaction action = {.sa_sigaction = OnSignal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; ++i)
    CHECK_EQ(sigaction(signals[i], &action, NULL), 0);
  Map(CODE, PROT_READ | PROT_WRITE | PROT_EXEC);
  Map(DATA, PROT_READ | PROT_WRITE);
  Map(READ_ONLY, PROT_READ);
  for (volatile int i = 0; i < kCount; ++i) Run(&kRows[i], i >= kCount - kCutOff);
  REPORT();
}
