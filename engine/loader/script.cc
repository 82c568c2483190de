#include "engine/loader/script.h"

namespace glovebox::engine {

LoadResult<ScriptLine> ParseScript(std::string_view head) {
  constexpr std::string_view kBlanks = " \t";
  std::string_view line = head.substr(2);
  const std::size_t newline = line.find('\n');
  const bool cut = newline == std::string_view::npos && head.size() == kScriptHeadBytes;
  line = line.substr(0, newline);
  line = line.substr(0, line.find('\0'));
  if (const std::size_t last = line.find_last_not_of(kBlanks);
      last != std::string_view::npos && !cut) {
    line = line.substr(0, last + 1);
  }
  const std::size_t start = line.find_first_not_of(kBlanks);
  if (start == std::string_view::npos)
    return FailLoad(kENOEXEC, "the #! line names no interpreter");
  line.remove_prefix(start);
  const std::size_t end = line.find_first_of(kBlanks);
  // Whether the name itself was cut off cannot be known: Linux refuses.
  if (cut && end == std::string_view::npos)
    return FailLoad(kENOEXEC, "the #! line is longer than 255 bytes");
  ScriptLine script{std::string(line.substr(0, end)), std::nullopt};
  if (end != std::string_view::npos) {
    const std::size_t argument = line.find_first_not_of(kBlanks, end);
    if (argument != std::string_view::npos) script.argument = std::string(line.substr(argument));
  }
  return script;
}

}  // namespace glovebox::engine
