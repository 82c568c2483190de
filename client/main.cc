#include <string>
#include <vector>

#include "client/command_line.h"

int main(int argc, char** argv) {
  return glovebox::client::RunCommandLine(std::vector<std::string>(argv + 1, argv + argc));
}
