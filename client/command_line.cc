#include "client/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <span>

#include "client/commands/command.h"
#include "client/exit_status.h"
#include "client/invocation.h"
#include "client/notice.h"

namespace glovebox::client {
namespace {

constexpr const char* kDescription =
    "Glovebox runs Linux programs as interpreted guest processes inside sealed boxes.";
constexpr const char* kFooter =
    "Start here:\n"
    "  glovebox run --summary -- /bin/busybox echo hello\n"
    "  glovebox run --help\n\n"
    "With no server named a private daemon is started for this user, and ends when it has been "
    "idle.\n";

void DeclareGlobals(CLI::App& app, Invocation& invocation) {
  const std::map<std::string, OutputFormat> formats{{"text", OutputFormat::kText},
                                                    {"json", OutputFormat::kJson}};
  app.add_option("--server", invocation.server,
                 "unix:PATH of a daemon (default: $GLOVEBOX_SERVER, else the private daemon)")
      ->type_name("ADDRESS");
  app.add_option_function<std::string>(
         "--output,-o",
         [&invocation, formats](const std::string& text) { invocation.format = formats.at(text); },
         "text (default), or json: the protocol's own JSON")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--quiet,-q", invocation.quiet, "Say only what went wrong");
}

// Index of the first word from `from` on that is neither an option of `app` nor an option's value.
std::size_t FirstPositional(const CLI::App& app, std::span<const std::string> words,
                            std::size_t from) {
  std::size_t i = from;
  for (; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--" || word.size() < 2 || word[0] != '-') break;
    const bool is_long = word[1] == '-';
    // "--limit=mem=1G" and "-n5" have their value with them.
    if (is_long ? word.find('=') != std::string::npos : word.size() > 2) continue;
    const CLI::Option* option = app.get_option_no_throw(word);
    if (option != nullptr && option->get_items_expected_max() > 0) ++i;
  }
  return std::min(i, words.size());
}

CLI::App* FindSubcommand(CLI::App& app, const std::string& name) {
  const auto found = app.get_subcommands([&](CLI::App* sub) { return sub->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

// CLI11 does not know of the words that we cut off before it sees them.
class CommandFormatter : public CLI::Formatter {
 public:
  explicit CommandFormatter(std::string_view command) : command_(command) {}

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    while (usage.ends_with('\n')) usage.pop_back();
    return usage + " " + std::string(command_) + "\n\n";
  }

 private:
  const std::string_view command_;
};

class CommandLine {
 public:
  CommandLine() : app_(kDescription, "glovebox") {
    app_.footer(kFooter);
    app_.require_subcommand(1);
    DeclareGlobals(app_, invocation_);
    for (const CommandRow& row : Commands()) {
      CLI::App& parent = row.group.empty() ? app_ : Group(std::string(row.group));
      CLI::App* verb = parent.add_subcommand(std::string(row.name), std::string(row.summary));
      DeclareGlobals(*verb, invocation_);
      verbs_.push_back({&row, verb, row.declare(*verb)});
      if (row.takes_command) verb->formatter(std::make_shared<CommandFormatter>(row.command));
    }
  }

  int Run(std::vector<std::string> words) {
    const Verb* verb = FindVerb(words);
    if (verb != nullptr && verb->row->takes_command) CutCommand(*verb, words);
    try {
      std::ranges::reverse(words);  // CLI11 takes them from the back
      app_.parse(words);
    } catch (const CLI::Success& help) {
      return app_.exit(help);
    } catch (const CLI::Error& error) {
      Warn(unknown_.empty() ? error.what() : "there is no verb '" + unknown_ + "'");
      Warn("see `glovebox " + (verb != nullptr ? VerbName(*verb) + " " : "") + "--help`");
      return verb != nullptr && verb->row->error_status != kExitError ? verb->row->error_status
                                                                      : kExitUsage;
    }
    for (const Verb& candidate : verbs_) {
      if (!candidate.app->parsed()) continue;
      auto status = candidate.action(invocation_);
      if (std::fflush(stdout) != 0 && status) {
        status = Fail(ErrorCode::kInternal, "WRITE_FAILED", "cannot write to standard output");
      }
      if (status) return *status;
      PrintError(status.error());
      return candidate.row->error_status;
    }
    return kExitUsage;
  }

 private:
  struct Verb {
    const CommandRow* row;
    CLI::App* app;
    Action action;
  };

  static std::string VerbName(const Verb& verb) {
    return (verb.row->group.empty() ? "" : std::string(verb.row->group) + " ") +
           std::string(verb.row->name);
  }

  CLI::App& Group(const std::string& name) {
    if (CLI::App* group = FindSubcommand(app_, name)) return *group;
    const auto row = std::ranges::find(Groups(), name, &GroupRow::name);
    CLI::App* group =
        app_.add_subcommand(name, row == Groups().end() ? "" : std::string(row->summary));
    group->require_subcommand(1);
    group->footer("`glovebox " + name + " VERB --help` says more of each.\n");
    return *group;
  }

  // The verb that the words name, with the index behind it in `position_`; null without one.
  const Verb* FindVerb(const std::vector<std::string>& words) {
    std::string group;
    CLI::App* app = &app_;
    for (std::size_t i = FirstPositional(*app, words, 0); i < words.size();
         i = FirstPositional(*app, words, i + 1)) {
      for (const Verb& verb : verbs_) {
        if (verb.row->group != group || verb.row->name != words[i]) continue;
        position_ = i + 1;
        return &verb;
      }
      app = FindSubcommand(*app, words[i]);
      if (app == nullptr || !group.empty()) {
        unknown_ = (group.empty() ? "" : group + " ") + words[i];
        return nullptr;
      }
      group = words[i];
    }
    return nullptr;
  }

  // Takes CMD and its arguments away from the words, so that no option of theirs is mistaken for
  // ours.
  void CutCommand(const Verb& verb, std::vector<std::string>& words) {
    const std::size_t cut = FirstPositional(*verb.app, words, position_);
    const std::size_t begin = cut < words.size() && words[cut] == "--" ? cut + 1 : cut;
    const auto at = [&](std::size_t i) { return words.begin() + static_cast<std::ptrdiff_t>(i); };
    invocation_.command.assign(at(begin), words.end());
    words.erase(at(cut), words.end());
  }

  CLI::App app_;
  Invocation invocation_;
  std::vector<Verb> verbs_;
  std::size_t position_ = 0;
  std::string unknown_;  // what stood in a verb's place
};

}  // namespace

int RunCommandLine(const std::vector<std::string>& words) {
  // CLI11 and the standard library throw; nothing of ours does.
  try {
    return CommandLine().Run(words);
  } catch (const std::exception& exception) {
    Warn(exception.what());
    return kExitService;
  }
}

}  // namespace glovebox::client
