// What gdb and lldb are told of registers, made of the rows of architecture.h.
#pragma once

#include <string>

#include "gdbstub/architecture.h"

namespace glovebox::gdbstub {

// target.xml. Source: GDB manual, "Target Descriptions", "i386 Features".
std::string TargetXml(Architecture architecture);

// A register as lldb asks for it, one by one: "name:rip;bitsize:64;...". Empty beyond the last.
// Source: LLDB, "GDB Remote Protocol Extensions", qRegisterInfo.
std::string LldbRegisterInfo(Architecture architecture, RegisterNumber number);

}  // namespace glovebox::gdbstub
