#include "gdbstub/link_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gdbstub/xml.h"

namespace glovebox::gdbstub {
namespace {

// elf(5), getauxval(3).
enum AuxType : std::uint64_t { kAtPhdr = 3, kAtPhent = 4, kAtPhnum = 5 };
enum SegmentType : std::uint32_t { kPtDynamic = 2, kPtPhdr = 6, kPtTls = 7 };
constexpr std::uint64_t kDtDebug = 21;

// A list may be a ring in a broken guest.
constexpr std::size_t kMaxLibraries = 10000;
constexpr std::size_t kMaxNamespaces = 16;
constexpr std::size_t kMaxSegments = 256;
constexpr std::size_t kMaxDynamicEntries = 4096;
constexpr std::size_t kMaxNameBytes = 4096;

// Memory of one process in words of its ABI.
class Reader {
 public:
  Reader(Conversation& conversation, const ProcessInfo& process)
      : conversation_(conversation),
        pid_(process.pid),
        word_(LayoutOf(process.architecture).word_bytes) {}

  std::size_t word() const { return word_; }
  // 0 where there is nothing: every list that is read here ends with 0.
  std::uint64_t Word(GuestAddr address) const { return Number(address, word_); }
  std::uint64_t Number(GuestAddr address, std::size_t bytes) const {
    return conversation_.ReadWord(pid_, address, bytes).value_or(0);
  }
  std::string Text(GuestAddr address) const {
    std::string text;
    while (text.size() < kMaxNameBytes) {
      std::byte piece[64];
      const auto read = conversation_.debuggee.ReadMemory(pid_, address + text.size(), piece);
      if (!read || *read == 0) break;
      const std::string_view got(reinterpret_cast<const char*>(piece),
                                 std::min(*read, sizeof piece));
      const std::size_t end = got.find('\0');
      text += got.substr(0, end);
      if (end != std::string_view::npos) break;
    }
    return text;
  }

 private:
  Conversation& conversation_;
  std::uint32_t pid_;
  std::size_t word_;
};

struct ProgramHeaders {
  GuestAddr address = 0;
  std::uint64_t size = 0;
  std::uint64_t count = 0;
};

ProgramHeaders FindHeaders(std::span<const std::byte> auxv, std::size_t word) {
  ProgramHeaders headers;
  for (; auxv.size() >= 2 * word; auxv = auxv.subspan(2 * word)) {
    std::uint64_t type = 0;
    std::uint64_t value = 0;
    std::memcpy(&type, auxv.data(), word);
    std::memcpy(&value, auxv.data() + word, word);
    if (type == kAtPhdr) headers.address = value;
    if (type == kAtPhent) headers.size = value;
    if (type == kAtPhnum) headers.count = std::min<std::uint64_t>(value, kMaxSegments);
  }
  return headers;
}

// Where the program's dynamic section names struct r_debug (d_ptr of DT_DEBUG). 0: nowhere.
GuestAddr FindDebugPointer(const Reader& memory, const ProgramHeaders& headers) {
  const std::size_t address_at = memory.word() == 8 ? 16 : 8;  // p_vaddr
  GuestAddr bias = 0;
  GuestAddr dynamic = 0;
  for (std::uint64_t i = 0; i < headers.count; ++i) {
    const GuestAddr header = headers.address + i * headers.size;
    const std::uint64_t type = memory.Number(header, 4);
    if (type == kPtPhdr) bias = headers.address - memory.Word(header + address_at);
    if (type == kPtDynamic) dynamic = memory.Word(header + address_at);
  }
  if (dynamic == 0) return 0;
  if (memory.word() == 4) bias &= UINT32_MAX;
  dynamic += bias;
  for (std::size_t i = 0; i < kMaxDynamicEntries; ++i) {
    const GuestAddr entry = dynamic + 2 * memory.word() * i;
    const std::uint64_t tag = memory.Word(entry);
    if (tag == 0) break;
    if (tag == kDtDebug) return entry + memory.word();
  }
  return 0;
}

}  // namespace

Answer<GuestAddr> ProgramTlsBlock(Conversation& c, const ProcessInfo& process,
                                  GuestAddr thread_pointer) {
  const auto auxv = c.debuggee.auxv()->Read(process.pid);
  if (!auxv) return std::unexpected(auxv.error());
  const Reader memory(c, process);
  const bool is_64bit = memory.word() == 8;
  const ProgramHeaders headers = FindHeaders(*auxv, memory.word());
  for (std::uint64_t i = 0; i < headers.count; ++i) {
    const GuestAddr header = headers.address + i * headers.size;
    if (memory.Number(header, 4) != kPtTls) continue;
    const std::uint64_t size = memory.Word(header + (is_64bit ? 40 : 20));  // p_memsz
    const std::uint64_t align =
        std::max<std::uint64_t>(memory.Word(header + (is_64bit ? 48 : 28)), 1);  // p_align
    const GuestAddr block = thread_pointer - (size + align - 1) / align * align;
    return is_64bit ? block : block & UINT32_MAX;
  }
  return Refuse(engine::kENODATA, "the program has no thread-local variables");
}

Answer<GuestAddr> LibraryDebugPointer(Conversation& c, const ProcessInfo& process) {
  const auto auxv = c.debuggee.auxv()->Read(process.pid);
  if (!auxv) return std::unexpected(auxv.error());
  const Reader memory(c, process);
  const GuestAddr pointer = FindDebugPointer(memory, FindHeaders(*auxv, memory.word()));
  if (pointer == 0) return Refuse(engine::kENOENT, "the program has no dynamic section");
  return pointer;
}

Answer<std::string> LibraryListXml(Conversation& c, const ProcessInfo& process, GuestAddr start,
                                   GuestAddr previous) {
  const auto auxv = c.debuggee.auxv()->Read(process.pid);
  if (!auxv) return std::unexpected(auxv.error());
  const Reader memory(c, process);
  const std::size_t word = memory.word();
  std::string main_map;
  std::string libraries;
  std::size_t count = 0;
  // struct r_debug: version, first map, address that is called at changes, state, base; from
  // version 2 on a pointer to the next namespace's follows.
  const GuestAddr pointer = FindDebugPointer(memory, FindHeaders(*auxv, word));
  // gdb looks for itself then, and finds the list of a dynamic linker that was started as a
  // program.
  if (pointer == 0) return Refuse(engine::kENOENT);
  GuestAddr debug = memory.Word(pointer);  // 0: the linker has not begun yet
  for (std::size_t space = 0; debug != 0 && space < kMaxNamespaces; ++space) {
    GuestAddr map = start != 0 ? start : memory.Word(debug + word);
    GuestAddr before = start != 0 ? previous : 0;
    // struct link_map: l_addr, l_name, l_ld, l_next, l_prev.
    for (; map != 0 && count < kMaxLibraries; ++count) {
      if (memory.Word(map + 4 * word) != before) break;  // half way through a change
      const std::string name = memory.Text(memory.Word(map + word));
      if (space == 0 && before == 0) {
        main_map = fmt::format(" main-lm=\"{:#x}\"", map);
      } else if (!name.empty()) {
        libraries += fmt::format(
            "<library name=\"{}\" lm=\"{:#x}\" l_addr=\"{:#x}\" l_ld=\"{:#x}\" lmid=\"{:#x}\"/>",
            XmlText(name), map, memory.Word(map), memory.Word(map + 2 * word), debug);
      }
      before = map;
      map = memory.Word(map + 3 * word);
    }
    const bool more = start == 0 && memory.Number(debug, 4) >= 2;
    debug = more ? memory.Word(debug + 5 * word) : 0;
  }
  return fmt::format("<library-list-svr4 version=\"1.0\"{}>{}</library-list-svr4>", main_map,
                     libraries);
}

}  // namespace glovebox::gdbstub
