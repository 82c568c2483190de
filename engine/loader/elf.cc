#include "engine/loader/elf.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "engine/loader/layout.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine {
namespace {

// Linux reads at most this much program header table (fs/binfmt_elf.c, load_elf_phdrs).
constexpr std::size_t kMaxHeaderTableBytes = 65536;
// Nothing may be mapped below it: sysctl vm.mmap_min_addr, Debian's default.
constexpr GuestAddr kLowestAddress = 65536;

// The two layouts of an ELF file: everything behind them reads numbers of 64 bits.
struct Elf32 {
  using FileHeader = Elf32_Ehdr;
  using ProgramHeader = Elf32_Phdr;
  static constexpr std::uint8_t kWordBytes = 4;
};
struct Elf64 {
  using FileHeader = Elf64_Ehdr;
  using ProgramHeader = Elf64_Phdr;
  static constexpr std::uint8_t kWordBytes = 8;
};
static_assert(sizeof(Elf32_Phdr) == ElfHeaderEntryBytes(4));
static_assert(sizeof(Elf64_Phdr) == ElfHeaderEntryBytes(8));

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

// A class of files that can run: elf_check_arch and its compat twin, arch/x86/include/asm/elf.h.
struct ClassRow {
  unsigned char ident;
  std::string_view name;
  std::array<std::uint16_t, 2> machines;
};
constexpr ClassRow kClasses[] = {
    {ELFCLASS32, "i386", {EM_386, 6 /* EM_486 */}},
    {ELFCLASS64, "x86-64", {EM_X86_64, EM_X86_64}},
};

const ClassRow* FindClass(unsigned char ident) {
  const auto row = std::ranges::find(kClasses, ident, &ClassRow::ident);
  return row == std::end(kClasses) ? nullptr : row;
}

// The fields that both layouts have, after the identification was found sound.
template <typename Layout>
LoadResult<void> CheckHeader(const typename Layout::FileHeader& header, const ClassRow& row) {
  constexpr std::size_t kEntryBytes = sizeof(typename Layout::ProgramHeader);
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return FailLoad(kENOEXEC, "not little-endian; programs for x86-64 and i386 are supported");
  }
  if (std::ranges::find(row.machines, header.e_machine) == row.machines.end()) {
    if (header.e_machine == EM_X86_64) {
      return FailLoad(kENOEXEC, "an x32 program; x86-64 and i386 ones are supported");
    }
    return FailLoad(kENOEXEC, "for ELF machine " + std::to_string(header.e_machine) + "; " +
                                  std::string(row.name) + " is number " +
                                  std::to_string(row.machines.front()));
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return FailLoad(kENOEXEC, "ELF type " + std::to_string(header.e_type) +
                                  " is no program (an object file or a core?)");
  }
  if (header.e_phentsize != kEntryBytes) {
    return FailLoad(kENOEXEC, "program headers of " + std::to_string(header.e_phentsize) +
                                  " bytes; they have " + std::to_string(kEntryBytes));
  }
  if (header.e_phnum == 0) return FailLoad(kENOEXEC, "no program headers");
  if (header.e_phnum > kMaxHeaderTableBytes / kEntryBytes) {
    return FailLoad(kENOEXEC, std::to_string(header.e_phnum) +
                                  " program headers; Linux takes at most " +
                                  std::to_string(kMaxHeaderTableBytes / kEntryBytes));
  }
  return {};
}

std::uint8_t ProtectionOf(std::uint32_t flags) {
  return static_cast<std::uint8_t>(((flags & PF_R) != 0 ? kProtRead : 0) |
                                   ((flags & PF_W) != 0 ? kProtWrite : 0) |
                                   ((flags & PF_X) != 0 ? kProtExec : 0));
}

// A program header of either layout.
template <typename Header>
LoadResult<ElfSegment> CheckSegment(const Header& row, std::size_t index, std::uint64_t file_bytes,
                                    std::uint64_t address_end, bool position_independent) {
  // Each term is checked before it is added, so nothing wraps.
  const std::uint64_t address = row.p_vaddr, memory_bytes = row.p_memsz;
  const std::uint64_t offset = row.p_offset, in_file = row.p_filesz;
  if (in_file > memory_bytes) {
    return FailLoad(kEINVAL, Name(index) + ": more bytes in the file (" + std::to_string(in_file) +
                                 ") than in memory (" + std::to_string(memory_bytes) + ")");
  }
  if (address >= address_end || memory_bytes > address_end - address) {
    return FailLoad(kENOMEM, Name(index) + ": " + std::to_string(memory_bytes) + " bytes at " +
                                 Hex(address) + " reach beyond the address space of " +
                                 Hex(address_end) + " bytes");
  }
  if (!position_independent && address < kLowestAddress) {
    return FailLoad(kEPERM, Name(index) + ": address " + Hex(address) + " is below " +
                                Hex(kLowestAddress) + ", where nothing may be mapped");
  }
  if (offset > file_bytes || in_file > file_bytes - offset) {
    return FailLoad(kENOEXEC, Name(index) + ": " + std::to_string(in_file) + " bytes at offset " +
                                  std::to_string(offset) + " reach beyond the file of " +
                                  std::to_string(file_bytes) + " bytes (truncated?)");
  }
  if (in_file > 0 && address % kPageSize != offset % kPageSize) {
    return FailLoad(kEINVAL, Name(index) + ": address " + Hex(address) + " and file offset " +
                                 Hex(offset) + " differ within the page");
  }
  return ElfSegment{address, memory_bytes, offset, in_file, ProtectionOf(row.p_flags)};
}

template <typename Header>
LoadResult<void> AddSegment(ElfImage& image, const Header& row, std::size_t index,
                            std::uint64_t file_bytes, std::uint64_t address_end) {
  const auto segment =
      CheckSegment(row, index, file_bytes, address_end, image.position_independent);
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

// The path in PT_INTERP: fs/binfmt_elf.c, load_elf_binary.
LoadResult<std::string> ReadInterpreter(const FileReader& read, std::uint64_t offset,
                                        std::uint64_t bytes) {
  constexpr std::uint64_t kPathMax = 4096;
  if (bytes < 2 || bytes > kPathMax) {
    return FailLoad(kENOEXEC, "the interpreter's name of " + std::to_string(bytes) +
                                  " bytes is too short or too long");
  }
  std::string name(static_cast<std::size_t>(bytes), '\0');
  const auto got = read(offset, std::as_writable_bytes(std::span(name)));
  if (!got) return FailLoad(got.error(), "the interpreter's name cannot be read");
  if (*got != name.size() || name.back() != '\0') {
    return FailLoad(kENOEXEC, "the interpreter's name does not end in a NUL (truncated?)");
  }
  name.resize(name.find('\0'));
  if (name.empty()) return FailLoad(kENOEXEC, "the interpreter's name is empty");
  return name;
}

// The rest of a file whose identification is that of `Layout`.
template <typename Layout>
LoadResult<ElfImage> Parse(const FileReader& read, std::uint64_t file_bytes,
                           std::uint64_t window_bytes, const ClassRow& class_row) {
  using Header = typename Layout::ProgramHeader;
  const std::uint64_t address_end = AddressEnd(window_bytes, Layout::kWordBytes);
  typename Layout::FileHeader header{};
  const auto got = read(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!got) return FailLoad(got.error(), "the file cannot be read");
  if (*got < sizeof(header)) return FailLoad(kENOEXEC, "the ELF header is truncated");
  if (const auto ok = CheckHeader<Layout>(header, class_row); !ok)
    return std::unexpected(ok.error());

  std::vector<Header> rows(header.e_phnum);
  const auto table = std::as_writable_bytes(std::span(rows));
  const auto table_got = read(header.e_phoff, table);
  if (!table_got) return FailLoad(table_got.error(), "the program headers cannot be read");
  if (*table_got != table.size()) {
    return FailLoad(kENOEXEC, "the program headers lie beyond the end of the file (truncated?)");
  }

  ElfImage image;
  image.word_bytes = Layout::kWordBytes;
  image.position_independent = header.e_type == ET_DYN;
  image.entry = header.e_entry;
  image.header_count = header.e_phnum;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Header& row = rows[i];
    // The first one counts, as on Linux.
    if (row.p_type == PT_INTERP && image.interpreter.empty()) {
      auto name = ReadInterpreter(read, row.p_offset, row.p_filesz);
      if (!name) return std::unexpected(name.error());
      image.interpreter = std::move(*name);
    }
    if (row.p_type == PT_GNU_STACK) image.executable_stack = (row.p_flags & PF_X) != 0;
    if (row.p_type != PT_LOAD) continue;
    if (const auto ok = AddSegment(image, row, i, file_bytes, address_end); !ok) {
      return std::unexpected(ok.error());
    }
  }
  if (image.segments.empty()) return FailLoad(kENOEXEC, "no segment to load");
  if (image.alignment > address_end / 4) {
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

}  // namespace

LoadResult<ElfImage> ParseElf(const FileReader& read, std::uint64_t file_bytes,
                              std::uint64_t window_bytes) {
  std::array<unsigned char, EI_NIDENT> ident{};
  const auto got = read(0, std::as_writable_bytes(std::span(ident)));
  if (!got) return FailLoad(got.error(), "the file cannot be read");
  if (*got < ident.size())
    return FailLoad(kENOEXEC,
                    "only " + std::to_string(*got) + " bytes long, too short for a program");
  if (std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0) {
    return FailLoad(kENOEXEC, "neither an ELF program nor a script that starts with #!");
  }
  const ClassRow* row = FindClass(ident[EI_CLASS]);
  if (row == nullptr) {
    return FailLoad(kENOEXEC, "ELF class " + std::to_string(ident[EI_CLASS]) + " does not exist");
  }
  return row->ident == ELFCLASS32 ? Parse<Elf32>(read, file_bytes, window_bytes, *row)
                                  : Parse<Elf64>(read, file_bytes, window_bytes, *row);
}

}  // namespace glovebox::engine
