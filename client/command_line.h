// Words to a verb with its options, and that verb's run: everything of the program but main().
#pragma once

#include <string>
#include <vector>

namespace glovebox::client {

// `words` are argv without the program's name. Returns the exit status; help goes to stdout, errors
// to stderr.
int RunCommandLine(const std::vector<std::string>& words);

}  // namespace glovebox::client
