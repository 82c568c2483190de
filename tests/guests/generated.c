// Generated code: written, run and written again, in its own block and in another page, under
// changing protections and mappings, by stores and by system calls. What runs is always what was
// written last.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { kPage = 4096, kRounds = 300 };

typedef int (*Function)(void);

static unsigned char* map(void* at, size_t size, int protection) {
  const int fixed = at != NULL ? MAP_FIXED : 0;
  unsigned char* got = mmap(at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
  CHECK(got != MAP_FAILED);
  return got;
}

static int call(const unsigned char* code) { return ((Function)(uintptr_t)code)(); }

// mov eax, value; ret
static void write_constant(volatile unsigned char* at, int value) {
  const unsigned char code[] = {0xb8, value, value >> 8, value >> 16, value >> 24, 0xc3};
  for (size_t i = 0; i < sizeof code; ++i) at[i] = code[i];
}

// mov rAX, pointer
static unsigned char* write_pointer(unsigned char* at, const void* pointer) {
  if (sizeof pointer == 8) *at++ = 0x48;
  *at++ = 0xb8;
  memcpy(at, &pointer, sizeof pointer);
  return at + sizeof pointer;
}

static void functions_are_called_as_they_were_written_last(unsigned char* code) {
  for (int i = 0; i < kRounds; ++i) {
    unsigned char* at = code + i * 16 % kPage;
    write_constant(at, i);
    CHECK_EQ(call(at), i);
    write_constant(at, ~i);
    CHECK_EQ(call(at), ~i);
  }
}

static void a_store_changes_the_instruction_behind_it(unsigned char* code) {
  // mov rax, &immediate; mov byte [rax], i; mov eax, 0x700; ret
  unsigned char* at = write_pointer(code, NULL);
  unsigned char* const store = at;
  const unsigned char rest[] = {0xc6, 0x00, 0, 0xb8, 0x00, 0x07, 0x00, 0x00, 0xc3};
  memcpy(at, rest, sizeof rest);
  write_pointer(code, store + 4);
  for (int i = 0; i < kRounds; ++i) {
    store[2] = (unsigned char)i;
    store[4] = 0xee;
    CHECK_EQ(call(code), 0x700 + (i & 0xff));
  }
}

static void data_beside_code_can_be_counted_in(unsigned char* code) {
  // mov rax, &counter; inc dword [rax]; mov eax, [rax]; ret
  unsigned char* counter = code + 2048;
  const unsigned char rest[] = {0xff, 0x00, 0x8b, 0x00, 0xc3};
  memset(counter, 0, 4);
  memcpy(write_pointer(code, counter), rest, sizeof rest);
  for (int i = 1; i <= 10 * kRounds; ++i) CHECK_EQ(call(code), i);
}

static void a_function_across_pages_sees_a_store_to_its_second(unsigned char* code) {
  unsigned char* at = code + kPage - 3;
  for (int i = 0; i < kRounds; ++i) {
    write_constant(at, i << 16);
    CHECK_EQ(call(at), i << 16);
  }
}

static void protections_change_over_code(unsigned char* code) {
  for (int i = 0; i < kRounds; ++i) {
    CHECK_EQ(mprotect(code, kPage, PROT_READ | PROT_WRITE), 0);
    write_constant(code, i);
    CHECK_EQ(mprotect(code, kPage, PROT_READ | PROT_EXEC), 0);
    CHECK_EQ(call(code), i);
  }
  CHECK_EQ(mprotect(code, kPage, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
}

static void mappings_change_under_code(void) {
  unsigned char* code = map(NULL, 2 * kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
  for (int i = 0; i < kRounds / 3; ++i) {
    write_constant(code, i);
    CHECK_EQ(call(code), i);
    if (i % 2 != 0) CHECK_EQ(munmap(code, kPage), 0);
    map(code, kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
    CHECK_EQ(code[0], 0);
    write_constant(code, -i);
    CHECK_EQ(call(code), -i);
    unsigned char* other = map(NULL, kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
    write_constant(other, i + 7);
    CHECK(mremap(other, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, code) == code);
    CHECK_EQ(call(code), i + 7);
    CHECK_EQ(madvise(code, kPage, MADV_DONTNEED), 0);
    CHECK_EQ(code[0], 0);
  }
  munmap(code, 2 * kPage);
}

static void system_calls_write_code(unsigned char* code) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  for (int i = 0; i < kRounds; ++i) {
    unsigned char bytes[6];
    write_constant(bytes, i * 3);
    CHECK_EQ(write(ends[1], bytes, sizeof bytes), sizeof bytes);
    CHECK_EQ(read(ends[0], code, sizeof bytes), sizeof bytes);
    CHECK_EQ(call(code), i * 3);
  }
  close(ends[0]);
  close(ends[1]);
}

static void string_instructions_write_code(unsigned char* code) {
  unsigned char source[64];
  for (int i = 0; i < kRounds; ++i) {
    memset(source, 0x90, sizeof source);
    write_constant(source + i % 32, i);
    void* to = code;
    const void* from = source;
    size_t count = sizeof source;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    CHECK_EQ(call(code), i);
  }
}

static sigjmp_buf back;
static int fault_code;
static void* fault_address;
static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)context;
  fault_code = info->si_code;
  fault_address = info->si_addr;
  siglongjmp(back, signal);
}
static int signal_of_call(const unsigned char* code) {
  const int signal = sigsetjmp(back, 1);
  if (signal == 0) call(code);
  return signal;
}

// Code that has run, and may not any more or is gone; then it may again.
static void code_that_is_taken_away_faults(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  unsigned char* code = map(NULL, 2 * kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
  unsigned char* across = code + kPage - 3;
  for (int i = 0; i < 20; ++i) {
    write_constant(code, i);
    write_constant(across, i);
    CHECK_EQ(signal_of_call(code), 0);
    CHECK_EQ(signal_of_call(across), 0);
    CHECK_EQ(mprotect(code, kPage, i % 2 ? PROT_NONE : PROT_READ | PROT_WRITE), 0);
    CHECK_EQ(signal_of_call(code), SIGSEGV);
    CHECK_EQ(fault_code, SEGV_ACCERR);
    CHECK(fault_address == code);
    CHECK_EQ(mprotect(code, kPage, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
    CHECK_EQ(call(code), i);
    // The second page of an instruction.
    CHECK_EQ(munmap(code + kPage, kPage), 0);
    CHECK_EQ(signal_of_call(across), SIGSEGV);
    CHECK_EQ(fault_code, SEGV_MAPERR);
    CHECK(fault_address == code + kPage);
    map(code + kPage, kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
    CHECK_EQ(munmap(code, kPage), 0);
    CHECK_EQ(signal_of_call(code), SIGSEGV);
    CHECK_EQ(fault_code, SEGV_MAPERR);
    CHECK(fault_address == code);
    map(code, kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
  }
  munmap(code, 2 * kPage);
  // A file that becomes shorter than the code in it.
  const int file = (int)syscall(SYS_memfd_create, "code", 0);
  CHECK_EQ(ftruncate(file, kPage), 0);
  code = mmap(NULL, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, file, 0);
  write_constant(code, 11);
  CHECK_EQ(call(code), 11);
  CHECK_EQ(ftruncate(file, 0), 0);
  CHECK_EQ(signal_of_call(code), SIGBUS);
  CHECK_EQ(fault_code, BUS_ADRERR);
  CHECK(fault_address == code);
  CHECK_EQ(ftruncate(file, kPage), 0);
  write_constant(code, 12);
  CHECK_EQ(call(code), 12);
  munmap(code, kPage);
  close(file);
}

int main(void) {
  unsigned char* code = map(NULL, 2 * kPage, PROT_READ | PROT_WRITE | PROT_EXEC);
  functions_are_called_as_they_were_written_last(code);
  a_store_changes_the_instruction_behind_it(code);
  data_beside_code_can_be_counted_in(code);
  a_function_across_pages_sees_a_store_to_its_second(code);
  protections_change_over_code(code);
  mappings_change_under_code();
  system_calls_write_code(code);
  string_instructions_write_code(code);
  code_that_is_taken_away_faults();
  // On a page that was never written often, too.
  a_store_changes_the_instruction_behind_it(map(NULL, kPage, PROT_READ | PROT_WRITE | PROT_EXEC));
  REPORT();
}
