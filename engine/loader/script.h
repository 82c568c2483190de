// "#!" scripts, execve(2), "Interpreter scripts".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/loader/load_error.h"

namespace glovebox::engine {

inline constexpr std::size_t kScriptHeadBytes = 256;  // BINPRM_BUF_SIZE
inline constexpr int kMaxScriptDepth = 5;             // fs/exec.c, exec_binprm

struct ScriptLine {
  std::string interpreter;
  std::optional<std::string> argument;  // the rest of the line, as one
};

inline bool IsScript(std::string_view head) { return head.starts_with("#!"); }

// `head`: the first bytes of the file, at most kScriptHeadBytes. Errors: ENOEXEC.
LoadResult<ScriptLine> ParseScript(std::string_view head);

}  // namespace glovebox::engine
