// The CPU that a program finds: CPUID, the auxiliary vector and /proc/cpuinfo say the same, what
// they offer works, and signals keep all of the vector registers.
#define _GNU_SOURCE
#include <cpuid.h>
#include <immintrin.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

static const struct {
  const char* name;
  unsigned leaf, subleaf;
  char reg;
  unsigned bit;
} kFeatures[] = {
    {"cx8", 1, 0, 'd', 8},          {"cmov", 1, 0, 'd', 15},
    {"mmx", 1, 0, 'd', 23},         {"sse2", 1, 0, 'd', 26},
    {"pni", 1, 0, 'c', 0},          {"pclmulqdq", 1, 0, 'c', 1},
    {"ssse3", 1, 0, 'c', 9},        {"fma", 1, 0, 'c', 12},
    {"cx16", 1, 0, 'c', 13},        {"sse4_1", 1, 0, 'c', 19},
    {"sse4_2", 1, 0, 'c', 20},      {"movbe", 1, 0, 'c', 22},
    {"popcnt", 1, 0, 'c', 23},      {"aes", 1, 0, 'c', 25},
    {"xsave", 1, 0, 'c', 26},       {"avx", 1, 0, 'c', 28},
    {"f16c", 1, 0, 'c', 29},        {"rdrand", 1, 0, 'c', 30},
    {"bmi1", 7, 0, 'b', 3},         {"avx2", 7, 0, 'b', 5},
    {"bmi2", 7, 0, 'b', 8},         {"avx512f", 7, 0, 'b', 16},
    {"rdseed", 7, 0, 'b', 18},      {"adx", 7, 0, 'b', 19},
    {"sha_ni", 7, 0, 'b', 29},      {"xsaveopt", 13, 1, 'a', 0},
    {"xsavec", 13, 1, 'a', 1},      {"lahf_lm", 0x80000001, 0, 'c', 0},
    {"abm", 0x80000001, 0, 'c', 5}, {"rdtscp", 0x80000001, 0, 'd', 27},
};

static int cpuid_bit(unsigned leaf, unsigned subleaf, char reg, unsigned bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __get_cpuid_count(leaf, subleaf, &a, &b, &c, &d);
  return (reg == 'a' ? a : reg == 'b' ? b : reg == 'c' ? c : d) >> bit & 1;
}

// As the kernel gave it: glibc's getauxval() has a meaning of its own for AT_HWCAP.
static unsigned long aux(unsigned long type) {
  char** at = environ;
  while (*at) ++at;
  for (const ElfW(auxv_t)* entry = (const ElfW(auxv_t)*)(at + 1); entry->a_type; ++entry)
    if (entry->a_type == type) return entry->a_un.a_val;
  return 0;
}

static void the_sources_agree(void) {
  char text[16384] = " ";
  FILE* file = fopen("/proc/cpuinfo", "r");
  CHECK(file != NULL);
  char line[8192];
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, "flags", 5) == 0) {
      line[strcspn(line, "\n")] = ' ';
      strcat(text, strchr(line, ':') + 1);
      break;
    }
  }
  if (file) fclose(file);
  for (unsigned i = 0; i < sizeof kFeatures / sizeof *kFeatures; ++i) {
    char wanted[32];
    snprintf(wanted, sizeof wanted, " %s ", kFeatures[i].name);
    const int shown = strstr(text, wanted) != NULL;
    const int has =
        cpuid_bit(kFeatures[i].leaf, kFeatures[i].subleaf, kFeatures[i].reg, kFeatures[i].bit);
    if (shown != has) printf("%s: /proc/cpuinfo %d, CPUID %d\n", kFeatures[i].name, shown, has);
    CHECK(shown == has);
  }
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  __get_cpuid(1, &eax, &ebx, &ecx, &edx);
  const unsigned compared = 1u << 8 | 1u << 15 | 1u << 23 | 7u << 24;  // cx8 cmov mmx fxsr sse sse2
  CHECK(((aux(AT_HWCAP) ^ edx) & compared) == 0);
  CHECK(strcmp((const char*)aux(AT_PLATFORM), sizeof(long) == 8 ? "x86_64" : "i686") == 0);
  CHECK((aux(AT_HWCAP2) >> 1 & 1) <= (unsigned)cpuid_bit(7, 0, 'b', 0));  // FSGSBASE
  __builtin_cpu_init();
  CHECK(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"));
  CHECK(__builtin_cpu_supports("x86-64-v3"));
}

__attribute__((target("xsave"))) static void xgetbv_shows_avx(void) {
  CHECK((_xgetbv(0) & 7) == 7);
}

// --- What is computed with vectors is what is computed without ---

static float a[1003], b[1003];

__attribute__((noinline, target("avx2,fma"), optimize("O3"))) static float dot_wide(int n) {
  __m256 sum = _mm256_setzero_ps();
  int i = 0;
  for (; i + 8 <= n; i += 8)
    sum = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum);
  float parts[8];
  _mm256_storeu_ps(parts, sum);
  float total = 0;
  for (int k = 0; k < 8; ++k) total += parts[k];
  for (; i < n; ++i) total = __builtin_fmaf(a[i], b[i], total);
  return total;
}
__attribute__((noinline)) static float dot_narrow(int n) {
  float parts[8] = {0};
  int i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; ++k) parts[k] = (float)((double)a[i + k] * b[i + k] + parts[k]);
  float total = 0;
  for (int k = 0; k < 8; ++k) total += parts[k];
  for (; i < n; ++i) total = (float)((double)a[i] * b[i] + total);
  return total;
}

__attribute__((noinline, target("avx2"), optimize("O3"))) static unsigned mix_wide(
    const unsigned* in, int n) {
  unsigned sum = 0;
  for (int i = 0; i < n; ++i) sum += (in[i] << (i & 7)) ^ (in[n - 1 - i] >> 3);
  return sum;
}
__attribute__((noinline, optimize("O1"))) static unsigned mix_narrow(const unsigned* in, int n) {
  unsigned sum = 0;
  for (int i = 0; i < n; ++i) sum += (in[i] << (i & 7)) ^ (in[n - 1 - i] >> 3);
  return sum;
}

static void vectors_compute(void) {
  unsigned words[777], state = 1;
  for (int i = 0; i < 777; ++i) words[i] = state = state * 1664525 + 1013904223;
  // Small integers: products and sums are exact in either way.
  for (int i = 0; i < 1003; ++i) a[i] = (float)(i % 17) - 8, b[i] = (float)(i % 23) - 11;
  CHECK(dot_wide(1003) == dot_narrow(1003));
  for (int n = 1; n < 777; n += 31) CHECK(mix_wide(words, n) == mix_narrow(words, n));
}

// --- Signals ---

enum { kMagic1 = 0x46505853, kMagic2 = 0x46505845, kYmmOffset = 576 };
static volatile int entered;

// What a handler does to the frame, and what comes back of YMM6 and YMM7 (0x5a) and MXCSR.
enum {
  kPatch,       // bytes of YMM7's upper half
  kWithoutAvx,  // XSTATE_BV no longer has AVX: the upper halves are initial
  kUnwanted,    // the marks want x87 and SSE alone
  kShort,       // an image of a header, and no more
  kUnmarked,    // no marks: an FXSAVE image
  kCases
};
static volatile int what;

__attribute__((target("avx2"))) static void on_signal(int number, siginfo_t* info, void* context) {
  ucontext_t* uc = context;
  (void)info;
  CHECK(number == SIGUSR1);
  CHECK((uc->uc_flags & 1) != 0);  // UC_FP_XSTATE
  unsigned char* area = (unsigned char*)uc->uc_mcontext.fpregs;
#ifdef __i386__
  area += 112;  // what FSAVE writes stands before
#endif
  CHECK(((uintptr_t)area & 63) == 0);
  struct {
    uint32_t magic1, extended_size;
    uint64_t features;
    uint32_t size;
  } marks;
  memcpy(&marks, area + 464, sizeof marks);
  CHECK(marks.magic1 == kMagic1 && marks.extended_size >= marks.size + 4);
  CHECK((marks.features & 7) == 7);
  uint32_t magic2;
  memcpy(&magic2, area + marks.size, sizeof magic2);
  CHECK(magic2 == kMagic2);
  unsigned char upper[16], wanted[16];
  memset(wanted, 0x5a, sizeof wanted);
  memcpy(upper, area + kYmmOffset + 6 * 16, sizeof upper);
  CHECK(memcmp(upper, wanted, sizeof upper) == 0);
  // What the handler writes there comes back, what it does to the registers does not.
  uint64_t* const present = (uint64_t*)(area + 512);
  CHECK((*present & 7) == 7);
  switch (what) {
    case kPatch:
      memset(area + kYmmOffset + 7 * 16, 0xa5, 16);
      break;
    case kWithoutAvx:
      *present = 3;
      break;
    case kUnwanted:
      marks.features = 3;
      break;
    case kShort:
      *present = 3;
      marks.size = 576;
      memcpy(area + 576, &magic2, sizeof magic2);
      break;
    default:
      marks.magic1 = 0;
      break;
  }
  memcpy(area + 464, &marks, sizeof marks);
  __asm__ volatile("vpxor %%ymm6, %%ymm6, %%ymm6\n\tvzeroupper" ::: "xmm6");
  entered = 1;
}

__attribute__((target("avx2"))) static void signals_keep_ymm(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  unsigned char before[32], six[32], seven[32], wanted_six[32], wanted_seven[32];
  memset(before, 0x5a, sizeof before);
  memset(wanted_six, 0x5a, sizeof wanted_six);
  memset(wanted_seven, 0x5a, sizeof wanted_seven);
  if (what == kPatch) {
    memset(wanted_seven + 16, 0xa5, 16);
  } else {
    memset(wanted_six + 16, 0, 16);
    memset(wanted_seven + 16, 0, 16);
  }
  entered = 0;
  const long pid = getpid();
  long result;
  // kill(2) between loading the registers and looking at them.
  __asm__ volatile(
      "vmovdqu %3, %%ymm6\n\tvmovdqu %3, %%ymm7\n\t"
#ifdef __x86_64__
      "syscall\n\t"
#else
      "int $0x80\n\t"
#endif
      "vmovdqu %%ymm6, %1\n\tvmovdqu %%ymm7, %2\n\tvzeroupper"
      : "=a"(result), "=m"(six), "=m"(seven)
#ifdef __x86_64__
      : "m"(before), "0"(62L), "D"(pid), "S"((long)SIGUSR1)
      : "rcx", "r11", "memory", "xmm6", "xmm7");
#else
      : "m"(before), "0"(37L), "b"(pid), "c"((long)SIGUSR1)
      : "memory", "xmm6", "xmm7");
#endif
  CHECK(result == 0 && entered);
  CHECK(memcmp(six, wanted_six, sizeof six) == 0);
  CHECK(memcmp(seven, wanted_seven, sizeof seven) == 0);
}

int main(void) {
  the_sources_agree();
  xgetbv_shows_avx();
  vectors_compute();
  for (what = 0; what < kCases; ++what) {
    const unsigned mxcsr = _mm_getcsr();
    _mm_setcsr(0x3f80);  // rounds down
    signals_keep_ymm();
    CHECK((_mm_getcsr() & 0xffc0) == 0x3f80);
    _mm_setcsr(mxcsr);
  }
  REPORT();
}
