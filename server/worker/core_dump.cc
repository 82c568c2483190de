#include "server/worker/core_dump.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "server/worker/core_notes.h"

namespace glovebox::worker {
namespace {

using engine::GuestAddr;
using engine::Mapping;

constexpr std::uint64_t kPage = engine::kPageSize;
// Larger mappings, of which programs reserve terabytes, are in the file where they were written, by
// stretches of this size; a stretch that was not is no part of it, and debuggers cannot read it.
constexpr std::uint64_t kWholeBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kStretchBytes = std::uint64_t{64} << 20;
// Smaller ones are read whole: asking what of them was written costs as much.
constexpr std::uint64_t kSmallBytes = std::uint64_t{1} << 20;
constexpr std::size_t kMostSegments = 60'000;  // e_phnum has 16 bits
// Looked through for one piece, where everything is zero.
constexpr std::uint64_t kMostLook = std::uint64_t{64} << 20;
// ELFCLASS32 has offsets of 32 bits.
constexpr std::uint64_t kMostNarrowFile = 0xffff'f000;

bool IsZero(std::span<const char> bytes) {
  return std::ranges::all_of(bytes, [](char byte) { return byte == 0; });
}

template <typename Struct>
void Append(std::string& out, const Struct& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

struct Wide {
  using Ehdr = Elf64_Ehdr;
  using Phdr = Elf64_Phdr;
  static constexpr unsigned char kClass = ELFCLASS64;
  static constexpr std::uint16_t kMachine = EM_X86_64;
};
struct Narrow {
  using Ehdr = Elf32_Ehdr;
  using Phdr = Elf32_Phdr;
  static constexpr unsigned char kClass = ELFCLASS32;
  static constexpr std::uint16_t kMachine = EM_386;
};

template <typename Elf>
void AppendEhdr(std::string& out, std::size_t segments) {
  typename Elf::Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = Elf::kClass;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = Elf::kMachine;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(typename Elf::Phdr);
  header.e_phnum = static_cast<std::uint16_t>(segments);
  Append(out, header);
}

struct ProgramHeader {
  std::uint32_t type, flags;
  std::uint64_t offset, address, file_bytes, memory_bytes, align;
};

template <typename Elf>
void AppendPhdr(std::string& out, const ProgramHeader& from) {
  using Word = decltype(Elf::Phdr::p_offset);
  typename Elf::Phdr header{};
  header.p_type = from.type;
  header.p_flags = from.flags;
  header.p_offset = static_cast<Word>(from.offset);
  header.p_vaddr = static_cast<Word>(from.address);
  header.p_filesz = static_cast<decltype(header.p_filesz)>(from.file_bytes);
  header.p_memsz = static_cast<decltype(header.p_memsz)>(from.memory_bytes);
  header.p_align = static_cast<decltype(header.p_align)>(from.align);
  Append(out, header);
}

std::uint32_t FlagsOf(const Mapping& mapping) {
  const auto has = [&](std::uint8_t bit) { return (mapping.protection & bit) != 0; };
  return (has(engine::kProtRead) ? PF_R : 0U) | (has(engine::kProtWrite) ? PF_W : 0U) |
         (has(engine::kProtExec) ? PF_X : 0U);
}

}  // namespace

CoreDump::CoreDump(engine::BoxDebugger& debugger, std::uint32_t pid, engine::ThreadId first)
    : debugger_(debugger), pid_(pid) {
  const auto processes = debugger_.Processes();
  const auto process = std::ranges::find_if(
      processes, [pid](const auto& row) { return row.debugged && (pid == 0 || row.pid == pid); });
  if (process == processes.end()) return;
  pid_ = process->pid;
  is_32bit_ = process->is_i386;
  const auto mappings = debugger_.Mappings(pid_);
  if (!mappings) return;
  for (const Mapping& mapping : *mappings) AddMapping(mapping);
  const auto notes = CoreNotes(debugger_, *process, first, *mappings);
  if (!notes) return;
  Lay(notes->size());
  head_ = Headers(*notes);
}

bool CoreDump::IsWritten(GuestAddr start, GuestAddr end) const {
  return debugger_.WrittenBytes(pid_, start, end).value_or(0) != 0;
}

// As Linux does by default (core(5), coredump_filter), but with the files' pages too: whoever reads
// the core has not the box' files.
void CoreDump::AddMapping(const Mapping& mapping) {
  Segment segment{mapping.start, mapping.end, FlagsOf(mapping), true, false, 0};
  const bool anonymous = !mapping.shared && mapping.inode == 0;
  segment.only_written = anonymous && mapping.end - mapping.start > kSmallBytes;
  if ((mapping.traits & engine::kDontDump) != 0) segment.in_file = false;
  if (anonymous && mapping.protection == engine::kProtNone)
    segment.in_file = segment.in_file && IsWritten(mapping.start, mapping.end);
  if (!segment.in_file || !segment.only_written || mapping.end - mapping.start <= kWholeBytes) {
    segments_.push_back(segment);
    return;
  }
  for (GuestAddr at = mapping.start; at < mapping.end;) {
    GuestAddr end = at + std::min(kStretchBytes, mapping.end - at);
    if (segments_.size() >= kMostSegments / 2) end = mapping.end;
    const bool written = IsWritten(at, end);
    if (at != mapping.start && segments_.back().in_file == written) {
      segments_.back().end = end;
    } else {
      segments_.push_back({at, end, segment.flags, written, true, 0});
    }
    at = end;
  }
}

void CoreDump::Lay(std::size_t notes_bytes) {
  const std::size_t headers = is_32bit_ ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);
  const std::size_t each = is_32bit_ ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
  std::uint64_t offset = engine::PageCeil(headers + each * (segments_.size() + 1) + notes_bytes);
  for (Segment& segment : segments_) {
    const std::uint64_t bytes = segment.end - segment.start;
    if (is_32bit_ && segment.in_file && offset + bytes > kMostNarrowFile) segment.in_file = false;
    segment.offset_bytes = offset;
    if (segment.in_file) offset += bytes;
  }
  file_bytes_ = offset;
}

std::string CoreDump::Headers(const std::string& notes) const {
  std::string out;
  const std::size_t count = segments_.size() + 1;
  const auto header = [&](const ProgramHeader& from) {
    is_32bit_ ? AppendPhdr<Narrow>(out, from) : AppendPhdr<Wide>(out, from);
  };
  is_32bit_ ? AppendEhdr<Narrow>(out, count) : AppendEhdr<Wide>(out, count);
  const std::size_t each = is_32bit_ ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
  header({PT_NOTE, 0, out.size() + each * count, 0, notes.size(), 0, 4});
  for (const Segment& segment : segments_) {
    const std::uint64_t bytes = segment.end - segment.start;
    header({PT_LOAD, segment.flags, segment.offset_bytes, segment.start,
            segment.in_file ? bytes : 0, bytes, kPage});
  }
  return out + notes;
}

std::optional<CoreDump::Piece> CoreDump::NextOf(const Segment& segment, std::size_t most_bytes) {
  const GuestAddr at = segment.start + done_bytes_;
  const auto bytes =
      static_cast<std::size_t>(std::min<std::uint64_t>(most_bytes, segment.end - at));
  Piece piece;
  piece.offset_bytes = segment.offset_bytes + done_bytes_;
  done_bytes_ += bytes;
  if (segment.only_written && !IsWritten(at, at + bytes)) return std::nullopt;
  piece.data.resize(bytes);
  // Pages that are not there (beyond a file's end) are left out.
  for (std::size_t done = 0; done < bytes;) {
    const auto room = std::as_writable_bytes(std::span(piece.data)).subspan(done);
    const std::size_t got = debugger_.ReadMemory(pid_, at + done, room).value_or(0);
    done += got;
    if (done < bytes) done = std::min<std::size_t>(bytes, engine::PageCeil(done + 1));
  }
  // Holes on both sides.
  std::size_t begin = 0;
  std::size_t end = bytes;
  const std::span<const char> data(piece.data);
  while (begin < end && IsZero(data.subspan(begin, std::min<std::size_t>(kPage, end - begin))))
    begin += std::min<std::size_t>(kPage, end - begin);
  while (end > begin && IsZero(data.subspan(end - std::min<std::size_t>(kPage, end - begin),
                                            std::min<std::size_t>(kPage, end - begin))))
    end -= std::min<std::size_t>(kPage, end - begin);
  if (begin == end) return std::nullopt;
  piece.data = piece.data.substr(begin, end - begin);
  piece.offset_bytes += begin;
  return piece;
}

CoreDump::Piece CoreDump::Next(std::size_t most_bytes) {
  if (head_sent_ < head_.size()) {
    Piece piece{head_sent_, head_.substr(head_sent_, most_bytes), false};
    head_sent_ += piece.data.size();
    if (head_sent_ == head_.size()) head_.shrink_to_fit();
    return piece;
  }
  for (std::uint64_t looked = 0; segment_ < segments_.size() && looked < kMostLook;) {
    const Segment& segment = segments_[segment_];
    if (!segment.in_file || segment.start + done_bytes_ >= segment.end) {
      ++segment_;
      done_bytes_ = 0;
      continue;
    }
    if (auto piece = NextOf(segment, most_bytes)) return std::move(*piece);
    looked += most_bytes;
  }
  // The file is as long as its headers say.
  return {file_bytes_, {}, segment_ == segments_.size()};
}

}  // namespace glovebox::worker
