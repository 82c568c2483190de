#include "client/commands/job_options.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "client/commands/number.h"
#include "client/render/table.h"
#include "client/render/units.h"
#include "client/tree/dynamic_program.h"
#include "client/tree/guest_path.h"
#include "engine/limits/limit_table.h"
#include "engine/linux/default_root.h"
#include "engine/linux/world_check.h"

namespace glovebox::client {
namespace {

std::unexpected<Error> BadOption(std::string_view option, std::string_view value,
                                 std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument, "BAD_OPTION",
              fmt::format("{} '{}': {}", option, value, what));
}

Result<void, Error> CheckUtf8(std::string_view option, std::string_view value) {
  if (IsUtf8(value)) return {};
  return BadOption(option, value, "is not UTF-8, which the service's messages need");
}

struct KeyValue {
  std::string key;
  std::string value;
};

Result<KeyValue, Error> SplitKeyValue(std::string_view option, const std::string& text) {
  const auto utf8 = CheckUtf8(option, text);
  if (!utf8) return std::unexpected(utf8.error());
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return BadOption(option, text, "has to be KEY=VALUE");
  }
  return KeyValue{text.substr(0, equals), text.substr(equals + 1)};
}

struct Mapping {
  std::string source;
  std::string destination;
};

// "SRC:DST" parted at the last colon, so that SRC may have some. DST with a slash at its end takes
// SRC's own name.
Result<Mapping, Error> SplitMapping(std::string_view option, const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    return BadOption(option, text, "has to be SRC:DST");
  }
  Mapping mapping{text.substr(0, colon), text.substr(colon + 1)};
  if (mapping.source == "-") {
    return BadOption(option, text,
                     "SRC has to be a file; standard input goes to the guest as it is");
  }
  if (option == "--file" && mapping.destination.ends_with('/')) {
    mapping.destination += mapping.source.substr(mapping.source.rfind('/') + 1);
  }
  return mapping;
}

// An error of a file, with the option that named it.
std::unexpected<Error> Within(std::string_view option, std::string_view value, Error error) {
  error.message = fmt::format("{} '{}': {}", option, value, error.message);
  return std::unexpected(std::move(error));
}

Result<void, Error> AddFiles(const JobOptions& options, const std::string& directory,
                             TreeBuilder& tree) {
  using Add = Result<void, Error> (TreeBuilder::*)(const std::string&, std::string_view);
  struct Row {
    std::string_view option;
    const std::vector<std::string>& values;
    Add add;
  };
  // Directories first: a single file is the more precise wish.
  for (const Row& row : {Row{"--dir", options.directories, &TreeBuilder::AddDirectory},
                         Row{"--file", options.files, &TreeBuilder::AddFile}}) {
    for (const std::string& text : row.values) {
      const auto mapping = SplitMapping(row.option, text);
      if (!mapping) return std::unexpected(mapping.error());
      const auto names = SplitGuestPath(mapping->destination, directory);
      if (!names) return Within(row.option, text, names.error());
      const auto added = (tree.*row.add)(mapping->source, JoinGuestPath(*names));
      if (!added) return Within(row.option, text, added.error());
    }
  }
  return {};
}

// The interpreter and the libraries of a program that is sent along; what the user put at their
// places goes first.
Result<void, Error> AddNeeded(const std::string& command, const std::string& path,
                              TreeBuilder& tree) {
  const auto needed = FindNeededFiles(command, path);
  if (!needed) return Within("CMD", command, needed.error());
  for (const NeededFile& file : *needed) {
    const auto names = SplitGuestPath(file.guest_path);
    if (!names) continue;  // no path that a box can have
    const std::string at = JoinGuestPath(*names);
    const auto there = tree.Contains(at);
    if (!there) return std::unexpected(there.error());
    if (*there) continue;
    if (const auto added = tree.AddFile(file.host_path, at); !added)
      return Within("CMD", command, added.error());
  }
  return {};
}

// A CMD with a slash is sent along when it is a file of this machine; what --file put at its place
// goes first. With a root of its own an absolute path is one of the root's.
Result<void, Error> AddProgram(const std::string& command, const std::string& directory,
                               bool has_root, TreeBuilder& tree, v1::JobSpec& spec) {
  spec.set_program(command);
  if (command.find('/') == std::string::npos) return {};
  const std::string path = ResolveLexically(command, directory);
  spec.set_program(path);
  if (has_root && command.starts_with('/')) return {};
  const auto there = tree.Contains(path);
  if (!there) return std::unexpected(there.error());
  struct stat status;
  if (*there || ::stat(command.c_str(), &status) != 0) return {};
  const auto added = tree.AddFile(command, path);
  if (added) return AddNeeded(command, path, tree);
  const std::string& reason = added.error().reason;
  if (reason != "NOT_A_FILE" && reason != "FILE_UNREADABLE") {
    return Within("CMD", command, added.error());
  }
  return Fail(ErrorCode::kInvalidArgument, "CANNOT_RUN", "cannot run " + added.error().message);
}

Result<void, Error> SetLimits(const std::vector<std::string>& texts, v1::JobSpec& spec) {
  for (const std::string& text : texts) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const auto pair = SplitKeyValue("--limit", text.substr(begin, end - begin));
      if (!pair) return std::unexpected(pair.error());
      const engine::LimitRow* row = engine::FindLimit(pair->key);
      if (row == nullptr) {
        std::string names;
        for (const engine::LimitRow& known : engine::kLimits)
          names += fmt::format(" {}", known.name);
        return BadOption("--limit", text, "no such limit; there are" + names);
      }
      const auto value = ParseLimitValue(*row, pair->value);
      if (!value) return std::unexpected(value.error());
      (*spec.mutable_limits())[pair->key] = *value;
      begin = end + 1;
    }
  }
  return {};
}

Result<void, Error> SetEnvironment(const v1::RootConfig& config,
                                   const std::vector<std::string>& texts, v1::JobSpec& spec) {
  std::vector<KeyValue> entries;
  const auto set = [&](KeyValue entry) {
    const auto same = std::ranges::find(entries, entry.key, &KeyValue::key);
    if (same != entries.end()) {
      same->value = std::move(entry.value);
    } else {
      entries.push_back(std::move(entry));
    }
  };
  for (const std::string_view text : engine::kDefaultEnvironment) {
    const std::size_t equals = text.find('=');
    set({std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))});
  }
  for (const std::string& text : config.env()) {
    auto entry = SplitKeyValue("the root's environment", text);
    if (!entry) return std::unexpected(entry.error());
    set(*std::move(entry));
  }
  for (const std::string& text : texts) {
    auto entry = SplitKeyValue("--env", text);
    if (!entry) return std::unexpected(entry.error());
    set(*std::move(entry));
  }
  for (const KeyValue& entry : entries) spec.add_env(entry.key + "=" + entry.value);
  return {};
}

template <typename Map>
Result<void, Error> SetLabels(const std::vector<std::string>& texts, Map& map) {
  for (const std::string& text : texts) {
    auto pair = SplitKeyValue("--label", text);
    if (!pair) return std::unexpected(pair.error());
    map[pair->key] = std::move(pair->value);
  }
  return {};
}

template <typename Map>
Result<void, Error> SetWorld(const std::vector<std::string>& texts, Map& world) {
  for (const std::string& text : texts) {
    const engine::WorldRow* row = engine::FindWorldRow(text.substr(0, text.find('=')));
    if (row == nullptr)
      return BadOption("--world", text, "no such row; `glovebox world` lists them");
    auto pair = SplitKeyValue("--world", text);
    if (!pair) return std::unexpected(pair.error());
    if (const auto fault = engine::WorldValueFault(*row, pair->value))
      return BadOption("--world", text, *fault);
    world[pair->key] = std::move(pair->value);
  }
  return {};
}

template <typename Map>
Result<void, Error> SetSchedule(const std::string& text, Map& world) {
  if (text.empty()) return {};
  const engine::WorldRow& row = engine::Row(engine::WorldId::kScheduling);
  if (const auto fault = engine::WorldValueFault(row, text))
    return BadOption("--schedule", text, *fault);
  world[std::string(row.name)] = text;
  return {};
}

// Who the first process is, unless --world says so.
void SetUser(const v1::RootConfig& config, v1::JobSpec& spec) {
  auto& world = *spec.mutable_world();
  if (config.uid() != 0) world.insert({"uid", std::to_string(config.uid())});
  if (config.gid() != 0) world.insert({"gid", std::to_string(config.gid())});
}

// A user without a group has the group of its number, as users of most distributions do.
template <typename Map>
Result<void, Error> SetUserOption(const std::string& text, Map& world) {
  if (text.empty()) return {};
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string uid = text.substr(0, colon);
  const std::string gid = colon == text.size() ? uid : text.substr(colon + 1);
  for (const auto& [row, id] :
       {std::pair(engine::WorldId::kUid, uid), std::pair(engine::WorldId::kGid, gid)}) {
    if (id.empty() || id.find_first_not_of("0123456789") != std::string::npos)
      return BadOption("--user", text, "UID or UID:GID is wanted, as numbers");
    if (const auto fault = engine::WorldValueFault(engine::Row(row), id))
      return BadOption("--user", text, *fault);
    world[std::string(engine::Row(row).name)] = id;
  }
  return {};
}

Result<std::optional<BlobSource>, Error> HashStdin(const std::string& path) {
  if (path.empty()) return std::nullopt;
  auto source = HashHostFile(path);
  if (!source) return Within("--stdin", path, source.error());
  return *std::move(source);
}

Result<TreeBuilder, Error> MakeTree(const JobOptions& options,
                                    const std::optional<BaseRoot>& base) {
  const TreeBuilder::Options tree_options{.keep_mtime = options.keep_mtime};
  if (!base) return TreeBuilder(tree_options);
  const v1::Digest& tree = base->root.tree();
  const auto digest = DigestFromHex(tree.sha256(), tree.size_bytes());
  if (!digest) {
    return Fail(ErrorCode::kInternal, "ROOT_DIGEST",
                base->root.name() + ": the server gave no proper digest");
  }
  return TreeBuilder(tree_options, *digest, base->reader);
}

}  // namespace

void DeclareJobOptions(CLI::App& app, JobOptions& options) {
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* type,
                        const std::string& text) {
    app.add_option(name, values, text)->type_name(type)->allow_extra_args(false)->take_all();
  };
  app.add_option("--root", options.root,
                 "Start in this root file system (`glovebox rootfs ls`); --file and --dir lie on "
                 "top of it")
      ->type_name("NAME");
  list("--file", options.files, "SRC:DST",
       "Put the file SRC of this machine at DST in the box; keeps its rwx bits, makes directories "
       "on the way (repeatable, the last one wins); a DST that ends in / is the directory");
  list("--dir", options.directories, "SRC:DST", "Put a directory with all that is in it at DST");
  app.add_flag("--keep-mtime", options.keep_mtime,
               "Keep the files' modification times (otherwise they are 1970-01-01)");
  list("--env", options.environment, "K=V",
       "Set a variable; nothing comes from this machine's environment");
  list("--limit", options.limits, "L=N[,L=N]", "Set a limit, see below");
  list("--world", options.world, "K=V", "Change the guest's world, see `glovebox world`");
  list("--label", options.labels, "K=V", "Note something with the job, for yourself");
  app.add_option("--seed", options.seed, "Seed of all randomness in the box (default 0)")
      ->type_name("N")
      ->check(IsCount());
  app.add_option("--user", options.user,
                 "Who the program is in the box, as numbers (default 0: root; the same as --world "
                 "uid=UID --world gid=GID)")
      ->type_name("UID[:GID]");
  app.add_option("--schedule", options.schedule,
                 "How tasks take turns: round-robin, or chaos, which draws it from --seed and so "
                 "shakes out races (the same as --world scheduling=POLICY)")
      ->type_name("POLICY");
  app.add_option("--cwd", options.working_directory,
                 "Directory to start in (default: the root's, or /)")
      ->type_name("DIR");
  app.add_option("--stdin", options.stdin_file,
                 "Take standard input from FILE, sent before the start")
      ->type_name("FILE");
  app.add_option("--clock", options.clock,
                 "virtual (default): sleeps take no time; real: they last as long as here, clocks "
                 "start at the time here, and the job is not deterministic any more")
      ->type_name("CLOCK")
      ->check(CLI::IsMember({"virtual", "real"}));
  app.add_option("--trace", options.trace, "Keep a trace: syscalls")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"syscalls"}));
}

Result<JobPlan, Error> PlanJob(const JobOptions& options, const std::vector<std::string>& command,
                               const std::optional<BaseRoot>& base) {
  const v1::RootConfig& config = base ? base->root.config() : v1::RootConfig::default_instance();
  std::vector<std::string> words = command;
  if (words.empty()) words.assign(config.command().begin(), config.command().end());
  if (words.empty() || words.front().empty()) {
    return Fail(ErrorCode::kInvalidArgument, "NO_COMMAND", "CMD is missing: what shall run?");
  }
  JobPlan plan;
  auto tree = MakeTree(options, base);
  if (!tree) return std::unexpected(tree.error());
  const std::string& cwd =
      options.working_directory.empty() ? config.working_directory() : options.working_directory;
  const std::string directory = ResolveLexically(cwd, "/");
  for (const std::string& word : words) {
    const auto utf8 = CheckUtf8("argument", word);
    if (!utf8) return std::unexpected(utf8.error());
    plan.spec.add_argv(word);
  }
  auto done = CheckUtf8("--cwd", cwd);
  if (done) done = tree->MakeDirectory(directory);
  if (done) done = AddFiles(options, directory, *tree);
  if (done) done = AddProgram(words.front(), directory, base.has_value(), *tree, plan.spec);
  if (done) done = SetEnvironment(config, options.environment, plan.spec);
  if (done) done = SetLimits(options.limits, plan.spec);
  if (done) done = SetWorld(options.world, *plan.spec.mutable_world());
  if (done) done = SetUserOption(options.user, *plan.spec.mutable_world());
  if (done) done = SetSchedule(options.schedule, *plan.spec.mutable_world());
  if (done) done = SetLabels(options.labels, *plan.spec.mutable_labels());
  if (!done) return std::unexpected(done.error());
  SetUser(config, plan.spec);

  auto stdin_blob = HashStdin(options.stdin_file);
  if (!stdin_blob) return std::unexpected(stdin_blob.error());
  plan.stdin_blob = *std::move(stdin_blob);
  if (plan.stdin_blob) *plan.spec.mutable_stdin_blob() = ToProto(plan.stdin_blob->digest);

  auto built = tree->Build();
  if (!built) return std::unexpected(built.error());
  plan.tree = *std::move(built);
  *plan.spec.mutable_root() = ToProto(plan.tree.root);
  plan.spec.set_working_directory(directory);
  plan.spec.set_seed(options.seed);
  plan.spec.set_trace_syscalls(!options.trace.empty());
  if (options.clock == "real") {
    plan.spec.set_real_clock(true);
    const std::string start(engine::Row(engine::WorldId::kStartTime).name);
    plan.spec.mutable_world()->try_emplace(start, std::to_string(std::time(nullptr)));
  }
  return plan;
}

std::string LimitHelp() {
  std::vector<std::vector<std::string>> rows;
  for (const engine::LimitRow& row : engine::kLimits) {
    const bool none = row.default_value == engine::kNoLimit;
    rows.push_back(
        {fmt::format("  {}", row.name), std::string(UnitExamples(row.unit)),
         none ? "default none" : "default " + LimitText(UnitName(row.unit), row.default_value),
         std::string(row.guest_notices)});
  }
  return "Limits; the guest notices:\n" + Columns(rows);
}

}  // namespace glovebox::client
