#include "gdbstub/handlers/symbols.h"

#include "gdbstub/hex.h"
#include "gdbstub/link_map.h"

namespace glovebox::gdbstub {
namespace {

// What the GNU C library tells debuggers of itself (nptl_db): each is the address of three 32-bit
// numbers: bits of a field, how many there are, and its offset in its structure.
constexpr std::string_view kWanted[] = {
    "_thread_db_pthread_dtvp",          // struct pthread: the vector of a thread's blocks
    "_thread_db_link_map_l_tls_modid",  // struct link_map: which block is a library's
    "_thread_db_dtv_dtv",               // the vector: its elements
    "_thread_db_dtv_t_pointer_val",     // an element: where the block is
};
enum Wanted : std::size_t { kDtvOfThread, kModuleOfMap, kElementOfDtv, kPointerOfElement };

std::string Ask(Conversation& c) { return "qSymbol:" + HexOf(kWanted[c.symbols_asked]); }

struct Field {
  std::uint64_t size_bytes = 0;
  std::uint64_t offset = 0;
};

Answer<Field> FieldOf(Conversation& c, std::uint32_t pid, Wanted which) {
  const auto symbol = c.symbols.find(std::string(kWanted[which]));
  if (symbol == c.symbols.end()) {
    return Refuse(engine::kENOSYS);  // another C library, or gdb has no symbols of it
  }
  const auto bits = c.ReadWord(pid, symbol->second, 4);
  const auto offset = c.ReadWord(pid, symbol->second + 8, 4);
  if (!bits || !offset) return Refuse(engine::kEFAULT);
  return Field{*bits / 8, *offset};
}

// gdb names no link map where there is none: in a static program. The list begins with the
// program's.
bool IsProgram(Conversation& c, const ProcessInfo& process, GuestAddr link_map) {
  const std::size_t word = LayoutOf(process.architecture).word_bytes;
  return link_map == 0 ||
         c.ReadWord(process.pid, link_map + 4 * word, word).value_or(1) == 0;  // l_prev
}

Answer<GuestAddr> TlsBlock(Conversation& c, ThreadRef thread, GuestAddr link_map) {
  const auto process = c.Process(thread.pid);
  if (!process) return std::unexpected(process.error());
  const std::size_t word = LayoutOf(process->architecture).word_bytes;
  const auto pointer = c.debuggee.ThreadPointer(thread);
  if (!pointer) return std::unexpected(pointer.error());
  Field fields[std::size(kWanted)];
  for (std::size_t i = 0; i < std::size(kWanted); ++i) {
    const auto field = FieldOf(c, thread.pid, static_cast<Wanted>(i));
    if (!field) {
      const bool unknown = field.error().error == engine::kENOSYS && c.debuggee.auxv() != nullptr;
      return unknown && IsProgram(c, *process, link_map) ? ProgramTlsBlock(c, *process, *pointer)
                                                         : std::unexpected(field.error());
    }
    fields[i] = *field;
  }
  const auto read = [&](GuestAddr at, std::size_t bytes) {
    return c.ReadWord(thread.pid, at, bytes);
  };
  // Without a link map it is the program itself, whose block is the first.
  const Answer<std::uint64_t> module =
      link_map == 0 ? 1 : read(link_map + fields[kModuleOfMap].offset, word);
  if (!module) return std::unexpected(module.error());
  const auto dtv = read(*pointer + fields[kDtvOfThread].offset, word);
  if (!dtv) return std::unexpected(dtv.error());
  const auto block =
      read(*dtv + fields[kElementOfDtv].offset + *module * fields[kElementOfDtv].size_bytes +
               fields[kPointerOfElement].offset,
           word);
  if (!block) return std::unexpected(block.error());
  const std::uint64_t unallocated = word == 8 ? UINT64_MAX : UINT32_MAX;
  if (*module == 0 || *block == unallocated || *block == 0) {
    return Refuse(engine::kENODATA,
                  "the thread has not touched its thread-local variables of this object yet");
  }
  return *block;
}

}  // namespace

// "qSymbol::" offers, "qSymbol:VALUE:NAME" answers (VALUE may be empty).
Reply OnSymbol(Conversation& c, const Arguments& arguments) {
  const std::string& value = arguments.text(0);
  const auto name = ParseHexText(arguments.text(1));
  if (!name) return Reply::Error(engine::kEINVAL);
  if (name->empty()) {
    c.symbols_asked = 0;
    return Reply::Text(Ask(c));
  }
  if (c.symbols_asked >= std::size(kWanted) || *name != kWanted[c.symbols_asked]) {
    return Reply::Error(engine::kEINVAL);
  }
  if (!value.empty()) {
    const auto address = ParseHex(value);
    if (!address) return Reply::Error(engine::kEINVAL);
    c.symbols[*name] = *address;
  }
  ++c.symbols_asked;
  return c.symbols_asked == std::size(kWanted) ? Reply::Ok() : Reply::Text(Ask(c));
}

Reply OnTlsAddress(Conversation& c, const Arguments& arguments) {
  const auto thread = c.Find(*arguments.thread());
  if (!thread) return Reply::Refused(thread.error());
  const auto block = TlsBlock(c, *thread, arguments.number(1));
  if (!block) return Reply::Refused(block.error());
  return Reply::Text(HexOf(*block + arguments.number(0)));
}

}  // namespace glovebox::gdbstub
