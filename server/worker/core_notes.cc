#include "server/worker/core_notes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace glovebox::worker {
namespace {

using engine::BoxDebugger;
using engine::DebugRegisterSet;
using engine::Errno;
using engine::ThreadId;

// elf.h
enum NoteType : std::uint32_t {
  kPrstatus = 1,
  kFpregset = 2,
  kPrpsinfo = 3,
  kAuxv = 6,
  kXstate = 0x202,
  kPrxfpreg = 0x46e62b7f,
  kSiginfo = 0x53494749,
  kFile = 0x46494c45,
};

// Where struct elf_prstatus and struct elf_prpsinfo have what we know of.
struct Layout {
  std::size_t word_bytes, id_bytes;
  struct {
    std::size_t size, cursig, pid, registers, fpvalid;
  } prstatus;
  struct {
    std::size_t size, uid, gid, pid, name, arguments;
  } prpsinfo;
};
constexpr Layout kAmd64{8, 4, {336, 12, 32, 112, 328}, {136, 16, 20, 24, 40, 56}};
constexpr Layout kI386{4, 2, {144, 12, 24, 72, 140}, {124, 8, 10, 12, 28, 44}};
constexpr std::size_t kNameBytes = 16, kArgumentBytes = 80;  // both with their NUL

void Put(std::string& out, std::size_t at, std::uint64_t value, std::size_t bytes) {
  std::memcpy(&out[at], &value, bytes);  // both are little endian
}

void PutText(std::string& out, std::size_t at, std::string_view text, std::size_t bytes) {
  text = text.substr(0, bytes - 1);
  std::ranges::copy(text, out.begin() + static_cast<std::ptrdiff_t>(at));
}

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// elf(5), "Notes": name and content each end at a multiple of 4.
void AppendNote(std::string& out, std::string_view name, NoteType type, std::string_view content) {
  const auto align = [&out] { out.resize((out.size() + 3) / 4 * 4); };
  const std::array<std::uint32_t, 3> header{static_cast<std::uint32_t>(name.size() + 1),
                                            static_cast<std::uint32_t>(content.size()), type};
  out.append(reinterpret_cast<const char*>(header.data()), sizeof header);
  out.append(name).push_back('\0');
  align();
  out.append(content);
  align();
}

struct Process {
  BoxDebugger& debugger;
  const BoxDebugger::ProcessRow& row;
  const Layout& layout;
  std::vector<std::byte> siginfo;  // of what ended it; empty: nothing has
};

void PutIds(std::string& out, std::size_t at, std::uint32_t id,
            const BoxDebugger::ProcessRow& row) {
  for (const std::uint32_t each : {id, row.parent, row.group, row.session}) {
    Put(out, at, each, sizeof each);
    at += sizeof each;
  }
}

std::string Prstatus(const Process& process, std::uint32_t tid,
                     std::span<const std::byte> general) {
  const auto& at = process.layout.prstatus;
  std::string out(at.size, '\0');
  const std::vector<std::byte>& siginfo = process.siginfo;
  // siginfo_t begins with signo, errno, code; elf_siginfo with signo, code, errno. As Linux does,
  // each thread has the signal that ended the process: BFD believes the last one.
  constexpr std::size_t kWord = sizeof(std::int32_t);
  if (siginfo.size() >= 3 * kWord) {
    std::memcpy(&out[0], siginfo.data(), kWord);
    std::memcpy(&out[kWord], siginfo.data() + 2 * kWord, kWord);
    std::memcpy(&out[2 * kWord], siginfo.data() + kWord, kWord);
    std::memcpy(&out[at.cursig], siginfo.data(), sizeof(std::int16_t));
  }
  PutIds(out, at.pid, tid, process.row);
  const std::string_view registers = TextOf(general).substr(0, at.fpvalid - at.registers);
  std::ranges::copy(registers, out.begin() + static_cast<std::ptrdiff_t>(at.registers));
  Put(out, at.fpvalid, 1, sizeof(std::int32_t));
  return out;
}

std::string Prpsinfo(const Process& process) {
  const auto& at = process.layout.prpsinfo;
  const BoxDebugger::ProcessRow& row = process.row;
  std::string out(at.size, '\0');
  out[1] = 'R';  // sname
  Put(out, at.uid, row.uid, process.layout.id_bytes);
  Put(out, at.gid, row.gid, process.layout.id_bytes);
  PutIds(out, at.pid, row.pid, row);
  const std::string_view path = row.executable;
  PutText(out, at.name, path.substr(path.rfind('/') + 1), kNameBytes);
  std::string line;
  for (const std::string& argument : row.arguments) {
    line += (line.empty() ? "" : " ") + argument;
    if (line.size() >= kArgumentBytes) break;
  }
  PutText(out, at.arguments, line, kArgumentBytes);
  return out;
}

// fill_files_note of fs/binfmt_elf.c: count, size of a page, a row of words for each, the names.
std::string Files(const Process& process, const std::vector<engine::Mapping>& mappings) {
  std::string words, names;
  std::uint64_t count = 0;
  const auto add = [&](std::uint64_t value) {
    words.resize(words.size() + process.layout.word_bytes);
    Put(words, words.size() - process.layout.word_bytes, value, process.layout.word_bytes);
  };
  for (const engine::Mapping& mapping : mappings) count += mapping.name.starts_with('/') ? 1 : 0;
  add(count);
  add(engine::kPageSize);
  for (const engine::Mapping& mapping : mappings) {
    if (!mapping.name.starts_with('/')) continue;
    add(mapping.start);
    add(mapping.end);
    add(mapping.file_offset_bytes / engine::kPageSize);
    names.append(mapping.name).push_back('\0');
  }
  return words + names;
}

// Of one thread; the notes of the process follow those of the first.
Result<void, Errno> AppendThread(std::string& out, const Process& process, ThreadId thread,
                                 const std::string& of_process) {
  const auto general = process.debugger.ReadRegisters(thread, DebugRegisterSet::kGeneral);
  if (!general) return std::unexpected(general.error());
  AppendNote(out, "CORE", kPrstatus, Prstatus(process, thread.tid, *general));
  out += of_process;
  struct SetRow {
    DebugRegisterSet set;
    const char* name;
    NoteType type;
  };
  constexpr SetRow kSets[] = {{DebugRegisterSet::kFloat, "CORE", kFpregset},
                              {DebugRegisterSet::kFxsave, "LINUX", kPrxfpreg},
                              {DebugRegisterSet::kXstate, "LINUX", kXstate}};
  for (const SetRow& row : kSets) {
    const auto bytes = process.debugger.ReadRegisters(thread, row.set);
    if (!bytes) return std::unexpected(bytes.error());
    if (!bytes->empty()) AppendNote(out, row.name, row.type, TextOf(*bytes));
  }
  return {};
}

}  // namespace

Result<std::string, Errno> CoreNotes(BoxDebugger& debugger, const BoxDebugger::ProcessRow& row,
                                     ThreadId first, const std::vector<engine::Mapping>& mappings) {
  std::vector<std::uint32_t> threads = row.threads;
  const auto chosen = std::ranges::find(threads, first.pid == row.pid ? first.tid : row.pid);
  if (chosen != threads.end()) std::rotate(threads.begin(), chosen, chosen + 1);
  if (threads.empty()) return std::unexpected(engine::kESRCH);
  auto siginfo = debugger.ReadSiginfo({row.pid, threads.front()});
  const Process process{debugger, row, row.is_i386 ? kI386 : kAmd64,
                        std::move(siginfo).value_or(std::vector<std::byte>())};
  const auto auxv = debugger.AuxiliaryVector(row.pid);
  if (!auxv) return std::unexpected(auxv.error());
  std::string of_process;
  AppendNote(of_process, "CORE", kPrpsinfo, Prpsinfo(process));
  if (!process.siginfo.empty()) AppendNote(of_process, "CORE", kSiginfo, TextOf(process.siginfo));
  AppendNote(of_process, "CORE", kAuxv, TextOf(*auxv));
  AppendNote(of_process, "CORE", kFile, Files(process, mappings));

  std::string out;
  for (const std::uint32_t tid : threads) {
    const auto added = AppendThread(out, process, {row.pid, tid}, of_process);
    if (!added) return std::unexpected(added.error());
    of_process.clear();
  }
  return out;
}

}  // namespace glovebox::worker
