#include "engine/loader/elf.h"

#include <elf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "engine/memory/address_space.h"

namespace glovebox::engine {
namespace {

static_assert(sizeof(Elf64_Phdr) == kElfHeaderEntryBytes);

// Linux reads at most this much program header table (fs/binfmt_elf.c, load_elf_phdrs).
constexpr std::size_t kMaxHeaderTableBytes = 65536;
// Nothing may be mapped below it: sysctl vm.mmap_min_addr, Debian's default.
constexpr GuestAddr kLowestAddress = 65536;

std::string Hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), kDigits[value & 15]);
    value >>= 4;
  } while (value != 0);
  return "0x" + text;
}

std::string Name(std::size_t index) { return "program header " + std::to_string(index); }

// The identification and the fields that every ELF file has at the same place.
LoadResult<void> CheckIdentity(const Elf64_Ehdr& header) {
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return FailLoad(kENOEXEC, "neither an ELF program nor a script that starts with #!");
  }
  if (header.e_ident[EI_CLASS] == ELFCLASS32) {
    return FailLoad(kENOEXEC, "a 32-bit ELF file; 64-bit x86 programs are supported");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64) {
    return FailLoad(kENOEXEC,
                    "ELF class " + std::to_string(header.e_ident[EI_CLASS]) + " does not exist");
  }
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return FailLoad(kENOEXEC, "not little-endian; 64-bit x86 programs are supported");
  }
  if (header.e_machine != EM_X86_64) {
    return FailLoad(kENOEXEC, "for ELF machine " + std::to_string(header.e_machine) +
                                  "; x86-64 is number " + std::to_string(EM_X86_64));
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return FailLoad(kENOEXEC, "ELF type " + std::to_string(header.e_type) +
                                  " is no program (an object file or a core?)");
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr)) {
    return FailLoad(kENOEXEC, "program headers of " + std::to_string(header.e_phentsize) +
                                  " bytes; they have 56");
  }
  if (header.e_phnum == 0) return FailLoad(kENOEXEC, "no program headers");
  if (header.e_phnum > kMaxHeaderTableBytes / sizeof(Elf64_Phdr)) {
    return FailLoad(kENOEXEC,
                    std::to_string(header.e_phnum) + " program headers; Linux takes at most 1170");
  }
  return {};
}

std::uint8_t ProtectionOf(std::uint32_t flags) {
  return static_cast<std::uint8_t>(((flags & PF_R) != 0 ? kProtRead : 0) |
                                   ((flags & PF_W) != 0 ? kProtWrite : 0) |
                                   ((flags & PF_X) != 0 ? kProtExec : 0));
}

LoadResult<ElfSegment> CheckSegment(const Elf64_Phdr& row, std::size_t index,
                                    std::uint64_t file_bytes, std::uint64_t window_bytes,
                                    bool position_independent) {
  if (row.p_filesz > row.p_memsz) {
    return FailLoad(kEINVAL, Name(index) + ": more bytes in the file (" +
                                 std::to_string(row.p_filesz) + ") than in memory (" +
                                 std::to_string(row.p_memsz) + ")");
  }
  // Each term is checked before it is added, so nothing wraps.
  if (row.p_vaddr >= window_bytes || row.p_memsz > window_bytes - row.p_vaddr) {
    return FailLoad(kENOMEM, Name(index) + ": " + std::to_string(row.p_memsz) + " bytes at " +
                                 Hex(row.p_vaddr) + " reach beyond the address space of " +
                                 Hex(window_bytes) + " bytes");
  }
  if (!position_independent && row.p_vaddr < kLowestAddress) {
    return FailLoad(kEPERM, Name(index) + ": address " + Hex(row.p_vaddr) + " is below " +
                                Hex(kLowestAddress) + ", where nothing may be mapped");
  }
  if (row.p_offset > file_bytes || row.p_filesz > file_bytes - row.p_offset) {
    return FailLoad(kENOEXEC, Name(index) + ": " + std::to_string(row.p_filesz) +
                                  " bytes at offset " + std::to_string(row.p_offset) +
                                  " reach beyond the file of " + std::to_string(file_bytes) +
                                  " bytes (truncated?)");
  }
  if (row.p_filesz > 0 && row.p_vaddr % kPageSize != row.p_offset % kPageSize) {
    return FailLoad(kEINVAL, Name(index) + ": address " + Hex(row.p_vaddr) + " and file offset " +
                                 Hex(row.p_offset) + " differ within the page");
  }
  return ElfSegment{row.p_vaddr, row.p_memsz, row.p_offset, row.p_filesz,
                    ProtectionOf(row.p_flags)};
}

LoadResult<void> AddSegment(ElfImage& image, const Elf64_Phdr& row, std::size_t index,
                            std::uint64_t file_bytes, std::uint64_t window_bytes) {
  const auto segment =
      CheckSegment(row, index, file_bytes, window_bytes, image.position_independent);
  if (!segment) return std::unexpected(segment.error());
  if (segment->memory_bytes == 0) return {};
  if (!image.segments.empty() && segment->address < image.segments.back().end()) {
    return FailLoad(kENOEXEC, Name(index) + ": its segment at " + Hex(segment->address) +
                                  " overlaps the one before, which ends at " +
                                  Hex(image.highest()) + " (segments ascend)");
  }
  // Alignments that are no powers of two are ignored, as on Linux (maximum_alignment).
  if (std::has_single_bit(row.p_align))
    image.alignment = std::max<std::uint64_t>(image.alignment, row.p_align);
  image.segments.push_back(*segment);
  return {};
}

}  // namespace

LoadResult<ElfImage> ParseElf(const FileReader& read, std::uint64_t file_bytes,
                              std::uint64_t window_bytes) {
  Elf64_Ehdr header{};
  const auto got = read(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!got) return FailLoad(got.error(), "the file cannot be read");
  if (*got < EI_NIDENT)
    return FailLoad(kENOEXEC,
                    "only " + std::to_string(*got) + " bytes long, too short for a program");
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
      *got < sizeof(header)) {
    return FailLoad(kENOEXEC, "the ELF header is truncated");
  }
  if (const auto ok = CheckIdentity(header); !ok) return std::unexpected(ok.error());

  std::vector<Elf64_Phdr> rows(header.e_phnum);
  const auto table = std::as_writable_bytes(std::span(rows));
  const auto table_got = read(header.e_phoff, table);
  if (!table_got) return FailLoad(table_got.error(), "the program headers cannot be read");
  if (*table_got != table.size()) {
    return FailLoad(kENOEXEC, "the program headers lie beyond the end of the file (truncated?)");
  }

  ElfImage image;
  image.position_independent = header.e_type == ET_DYN;
  image.entry = header.e_entry;
  image.header_count = header.e_phnum;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Elf64_Phdr& row = rows[i];
    if (row.p_type == PT_INTERP) {
      return FailLoad(kENOEXEC,
                      "dynamically linked programs are not supported yet; link it statically");
    }
    if (row.p_type == PT_GNU_STACK) image.executable_stack = (row.p_flags & PF_X) != 0;
    if (row.p_type != PT_LOAD) continue;
    if (const auto ok = AddSegment(image, row, i, file_bytes, window_bytes); !ok) {
      return std::unexpected(ok.error());
    }
  }
  if (image.segments.empty()) return FailLoad(kENOEXEC, "no segment to load");
  if (image.alignment > window_bytes / 4) {
    return FailLoad(kENOMEM,
                    "an alignment of " + Hex(image.alignment) + " does not fit the address space");
  }
  bool entry_inside = false;
  for (const ElfSegment& segment : image.segments) {
    entry_inside |= image.entry >= segment.address && image.entry < segment.end();
    if (header.e_phoff >= segment.file_offset &&
        header.e_phoff < segment.file_offset + segment.file_bytes) {
      image.header_table = segment.address + (header.e_phoff - segment.file_offset);
    }
  }
  if (!entry_inside)
    return FailLoad(kEINVAL, "the entry point " + Hex(image.entry) + " lies in no segment");
  return image;
}

}  // namespace glovebox::engine
