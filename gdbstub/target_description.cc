#include "gdbstub/target_description.h"

#include <fmt/format.h>

namespace glovebox::gdbstub {
namespace {

struct Flag {
  std::string_view name;
  int bit;
};
constexpr Flag kEflags[] = {{"CF", 0},   {"", 1},    {"PF", 2},  {"AF", 4},  {"ZF", 6},
                            {"SF", 7},   {"TF", 8},  {"IF", 9},  {"DF", 10}, {"OF", 11},
                            {"NT", 14},  {"RF", 16}, {"VM", 17}, {"AC", 18}, {"VIF", 19},
                            {"VIP", 20}, {"ID", 21}};
constexpr Flag kMxcsr[] = {{"IE", 0},  {"DE", 1},  {"ZE", 2},  {"OE", 3}, {"UE", 4},
                           {"PE", 5},  {"DAZ", 6}, {"IM", 7},  {"DM", 8}, {"ZM", 9},
                           {"OM", 10}, {"UM", 11}, {"PM", 12}, {"FZ", 15}};

std::string FlagsXml(std::string_view id, std::span<const Flag> flags) {
  std::string out = fmt::format("<flags id=\"{}\" size=\"4\">", id);
  for (const Flag& flag : flags) {
    out +=
        fmt::format("<field name=\"{}\" start=\"{}\" end=\"{}\"/>", flag.name, flag.bit, flag.bit);
  }
  return out + "</flags>";
}

// Vector registers print as each of these. The names are gdb's, users write $xmm0.v4_float.
constexpr std::string_view kVec128 =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>";

std::string TypesOf(std::string_view feature) {
  if (feature == "core") return FlagsXml("i386_eflags", kEflags);
  if (feature == "sse") return std::string(kVec128) + FlagsXml("i386_mxcsr", kMxcsr);
  return {};
}

// lldb's roles of registers.
std::string_view Generic(const RegisterLayout& layout, RegisterNumber number) {
  if (number == layout.pc) return "generic:pc;";
  if (number == layout.sp) return "generic:sp;";
  if (number == layout.fp) return "generic:fp;";
  if (number == layout.flags) return "generic:flags;";
  return {};
}

// System V ABI x86-64, figure 3.36; i386, table 2.14. -1: none, or none that lldb would use.
int DwarfNumber(Architecture architecture, RegisterNumber number) {
  constexpr std::int8_t kAmd64[] = {0, 3, 2, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  if (architecture == Architecture::kI386) return number <= kI386Eip ? number : -1;
  if (number < std::size(kAmd64)) return kAmd64[number];
  if (number >= kAmd64Xmm0 && number < kAmd64Mxcsr) return number - kAmd64Xmm0 + 17;
  return -1;
}

}  // namespace

std::string TargetXml(Architecture architecture) {
  const RegisterLayout& layout = LayoutOf(architecture);
  std::string out = fmt::format(
      "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
      "<architecture>{}</architecture><osabi>GNU/Linux</osabi>",
      layout.gdb_name);
  std::string_view feature;
  for (RegisterNumber number = 0; number < layout.rows.size(); ++number) {
    const RegisterRow& row = layout.rows[number];
    if (row.feature != feature) {
      if (!feature.empty()) out += "</feature>";
      feature = row.feature;
      out += fmt::format("<feature name=\"org.gnu.gdb.i386.{}\">{}", feature, TypesOf(feature));
    }
    const std::string_view group =
        row.feature == "core" && row.bits == 32 && row.type == "int" ? " group=\"float\"" : "";
    out += fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\" regnum=\"{}\"{}/>", row.name,
                       row.bits, row.type, number, group);
  }
  return out + "</feature></target>";
}

std::string LldbRegisterInfo(Architecture architecture, RegisterNumber number) {
  const RegisterLayout& layout = LayoutOf(architecture);
  if (number >= layout.rows.size()) return {};
  const RegisterRow& row = layout.rows[number];
  const bool vector = row.bits == 128;
  const bool x87 = row.type == "i387_ext";
  std::string out = fmt::format(
      "name:{};bitsize:{};offset:{};encoding:{};format:{};set:{};", row.name, row.bits, row.offset,
      vector || x87 ? "vector" : "uint", vector || x87 ? "vector-uint8" : "hex",
      row.feature == "core" && !x87 && row.type != "int" ? "General Purpose Registers"
                                                         : "Floating Point Registers");
  if (const int dwarf = DwarfNumber(architecture, number); dwarf >= 0) {
    out += fmt::format("ehframe:{};dwarf:{};", dwarf, dwarf);
  }
  out += Generic(layout, number);
  return out;
}

}  // namespace glovebox::gdbstub
