// The headers of an ELF program, read with suspicion: every number in them is the guest's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/types.h"
#include "engine/loader/load_error.h"

namespace glovebox::engine {

// One PT_LOAD, checked: see ParseElf.
struct ElfSegment {
  GuestAddr address = 0;  // before the load bias
  std::uint64_t memory_bytes = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t file_bytes = 0;
  std::uint8_t protection = 0;  // Protection
  GuestAddr end() const { return address + memory_bytes; }
};

struct ElfImage {
  std::uint8_t word_bytes = 8;  // of addresses: 8 for x86-64 programs, 4 for i386 ones
  bool position_independent = false;
  GuestAddr entry = 0;  // before the load bias
  GuestAddr header_table =
      0;  // where the program headers are in memory, before the bias; 0: in no segment
  std::uint16_t header_count = 0;
  std::vector<ElfSegment> segments;  // ascending, at least one
  std::uint64_t alignment = kPageSize;
  bool executable_stack = false;
  std::string interpreter;  // PT_INTERP: the program that is to load it; empty: it is static

  GuestAddr lowest() const { return segments.front().address; }
  GuestAddr highest() const { return segments.back().end(); }
};

// The size of a program header: AT_PHENT.
constexpr std::uint16_t ElfHeaderEntryBytes(std::uint8_t word_bytes) {
  return word_bytes == 8 ? 56 : 32;  // sizeof(Elf64_Phdr), sizeof(Elf32_Phdr)
}

// Copies the file's bytes from `offset` into `out`; the count is short at the end of the file.
using FileReader =
    std::function<Result<std::size_t, Errno>(std::uint64_t offset, std::span<std::byte> out)>;

// Parses a program or a program interpreter (ld.so), x86-64 or i386, that is to live in a window of
// `window_bytes`, i386 ones below kAddressEnd32. What is returned is safe to map: segments ascend,
// do not overlap, lie in the window and in the file, are congruent to their offsets modulo the page
// size, and the entry lies in one of them. Errors: ENOEXEC, EINVAL, ENOMEM as Linux'
// load_elf_binary (fs/binfmt_elf.c); stricter where Linux would start the program only to kill it.
// Source: System V ABI, "Object Files", "Program Loading"; elf(5).
LoadResult<ElfImage> ParseElf(const FileReader& read, std::uint64_t file_bytes,
                              std::uint64_t window_bytes);

}  // namespace glovebox::engine
