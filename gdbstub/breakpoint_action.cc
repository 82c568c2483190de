#include "gdbstub/breakpoint_action.h"

#include <algorithm>
#include <utility>

#include "gdbstub/agent/interpreter.h"
#include "gdbstub/hex.h"

namespace glovebox::gdbstub {
namespace {

using agent::EvalError;
using agent::Machine;
using agent::Program;

constexpr std::size_t kMaxExpressions = 256;

class Printer : public agent::Environment {
 public:
  explicit Printer(Console& console) : console_(console) {}
  void Print(std::string_view text) override { console_.Say(text); }

 private:
  Console& console_;
};

class Expressions : public HitAction {
 public:
  Expressions(std::vector<Program> conditions, std::vector<Program> commands, Console& console)
      : conditions_(std::move(conditions)), commands_(std::move(commands)), printer_(console) {}

  HitVerdict OnHit(HitView& view) override { return {.stops = Stops(view)}; }

 private:
  bool Stops(HitView& view) {
    Machine machine(view, printer_);
    // What cannot be evaluated stops: gdb then shows why.
    const bool holds = std::ranges::any_of(conditions_, [&](const Program& condition) {
      return machine.Run(condition) != EvalError::kNone || machine.top() != 0;
    });
    if (!conditions_.empty() && !holds) return false;
    for (const Program& command : commands_) {
      if (machine.Run(command) != EvalError::kNone) return true;
    }
    return commands_.empty();
  }

  const std::vector<Program> conditions_;
  const std::vector<Program> commands_;
  Printer printer_;
};

// "X<bytes>,<hexadecimal digits>", any number of them in a row, taken from the front.
Answer<std::vector<Program>> TakeExpressions(std::string_view& text, const RegisterLayout& layout) {
  std::vector<Program> programs;
  while (text.starts_with('X')) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const auto size = ParseHex(text.substr(1, comma - 1));
    if (comma == text.size() || !size || *size > agent::kMaxProgramBytes ||
        text.size() - comma - 1 < 2 * *size || programs.size() == kMaxExpressions) {
      return Refuse(engine::kEINVAL);
    }
    const auto code = ParseHexBytes(text.substr(comma + 1, 2 * *size));
    if (!code) return Refuse(engine::kEINVAL);
    auto program = Program::Verify(*code, layout);
    if (!program) return Refuse(engine::kEINVAL, program.error());
    programs.push_back(std::move(*program));
    text.remove_prefix(comma + 1 + 2 * *size);
  }
  return programs;
}

}  // namespace

Answer<std::shared_ptr<HitAction>> ParseHitAction(std::string_view text,
                                                  const RegisterLayout& layout, Console& console) {
  constexpr std::string_view kCommands = "cmds:";
  auto conditions = TakeExpressions(text, layout);
  if (!conditions) return std::unexpected(conditions.error());
  std::vector<Program> commands;
  if (text.starts_with(';')) text.remove_prefix(1);
  if (text.starts_with(kCommands)) {
    text.remove_prefix(kCommands.size());
    const std::size_t comma = std::min(text.find(','), text.size());
    if (!ParseHex(text.substr(0, comma)) || comma == text.size()) return Refuse(engine::kEINVAL);
    text.remove_prefix(comma + 1);
    auto parsed = TakeExpressions(text, layout);
    if (!parsed) return std::unexpected(parsed.error());
    commands = std::move(*parsed);
  }
  if (!text.empty()) return Refuse(engine::kEINVAL);
  if (conditions->empty() && commands.empty()) return nullptr;
  return std::make_shared<Expressions>(std::move(*conditions), std::move(commands), console);
}

}  // namespace glovebox::gdbstub
