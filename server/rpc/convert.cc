#include "server/rpc/convert.h"

#include <cstring>

#include <fmt/format.h>

#include "engine/limits/limit_table.h"

namespace glovebox::server {
namespace {

static_assert(static_cast<int>(JobState::kQueued) == v1::QUEUED);
static_assert(static_cast<int>(JobState::kPreparing) == v1::PREPARING);
static_assert(static_cast<int>(JobState::kRunning) == v1::RUNNING);
static_assert(static_cast<int>(JobState::kStopped) == v1::STOPPED);
static_assert(static_cast<int>(JobState::kFinalizing) == v1::FINALIZING);
static_assert(static_cast<int>(JobState::kSucceeded) == v1::SUCCEEDED);
static_assert(static_cast<int>(JobState::kFailed) == v1::FAILED);
static_assert(static_cast<int>(JobState::kCancelled) == v1::CANCELLED);
static_assert(v1::JobState_MAX == v1::CANCELLED);

constexpr std::string_view kRootNamePrefix = "roots/";

v1::JobState StateMessage(JobState state) { return static_cast<v1::JobState>(state); }

void SetTime(google::protobuf::Timestamp* time, std::int64_t ns) {
  time->set_seconds(ns / 1'000'000'000);
  time->set_nanos(static_cast<std::int32_t>(ns % 1'000'000'000));
}

const char* UnitName(engine::LimitUnit unit) {
  switch (unit) {
    case engine::LimitUnit::kInstructions:
      return "instructions";
    case engine::LimitUnit::kBytes:
      return "bytes";
    case engine::LimitUnit::kCount:
      return "count";
    case engine::LimitUnit::kMilliseconds:
      return "milliseconds";
  }
  return "";
}

// Not set where the box has no end of its own: cancelled or failed.
void SetTermination(const BoxEnd& end, v1::JobResult& result) {
  switch (end.kind) {
    case BoxEnd::Kind::kExited:
      result.mutable_termination()->set_exited(end.code);
      break;
    case BoxEnd::Kind::kSignaled:
      result.mutable_termination()->set_signaled(end.code);
      result.mutable_termination()->set_core_available(end.core_available);
      break;
    case BoxEnd::Kind::kLimit: {
      auto* const limit = result.mutable_termination()->mutable_limit();
      limit->set_limit(end.limit);
      limit->set_value(end.limit_value);
      if (const engine::LimitRow* row = engine::FindLimit(end.limit))
        limit->set_unit(UnitName(row->unit));
      break;
    }
    case BoxEnd::Kind::kDeadlock:
      result.mutable_termination()->set_deadlock(end.detail);
      break;
    case BoxEnd::Kind::kNotStarted: {
      auto* const not_started = result.mutable_termination()->mutable_not_started();
      not_started->set_error_number(end.code);
      if (const char* name = ::strerrorname_np(end.code)) not_started->set_error_name(name);
      not_started->set_detail(end.detail);
      break;
    }
    case BoxEnd::Kind::kCancelled:
    case BoxEnd::Kind::kFailed:
      break;
  }
}

void SetResult(const JobOutcome& outcome, v1::JobResult& result) {
  const BoxEnd& end = *outcome.end;
  SetTermination(end, result);
  result.set_icount(end.icount);
  result.set_virtual_time_ns(end.virtual_time_ns);
  result.set_peak_memory_bytes(end.peak_memory_bytes);
  result.set_output_bytes(end.output_bytes);
  result.set_syscalls(end.syscalls);
  result.set_trace_hash(end.trace_hash);
  for (const auto& [name, count] : end.absent_syscalls)
    (*result.mutable_absent_syscalls())[name] = count;
  if (!end.unimplemented_mnemonic.empty()) {
    auto* const instruction = result.mutable_unimplemented_instruction();
    instruction->set_mnemonic(end.unimplemented_mnemonic);
    instruction->set_code(end.unimplemented_code);
    instruction->set_address(end.unimplemented_address);
  }
  result.set_host_cpu_time_ns(end.host_cpu_time_ns);
  result.set_journal_records(outcome.journal_records);
}

v1::JobSpec SpecMessage(const JobSpec& spec) {
  v1::JobSpec message;
  message.mutable_argv()->Assign(spec.argv.begin(), spec.argv.end());
  message.mutable_env()->Assign(spec.env.begin(), spec.env.end());
  message.set_program(spec.program);
  message.set_working_directory(spec.working_directory);
  *message.mutable_root() = MessageOf(spec.root);
  if (spec.stdin_blob) *message.mutable_stdin_blob() = MessageOf(*spec.stdin_blob);
  if (spec.stdin_stream) message.set_stdin_stream(true);
  if (spec.stdin_live) message.set_stdin_live(true);
  message.set_real_clock(spec.real_clock);
  if (spec.terminal) {
    message.mutable_terminal()->set_rows(spec.terminal->rows);
    message.mutable_terminal()->set_columns(spec.terminal->columns);
  }
  message.set_seed(spec.seed);
  message.mutable_limits()->insert(spec.limits.begin(), spec.limits.end());
  message.set_trace_syscalls(spec.trace_syscalls);
  message.mutable_world()->insert(spec.world.begin(), spec.world.end());
  message.mutable_labels()->insert(spec.labels.begin(), spec.labels.end());
  return message;
}

}  // namespace

Result<Digest, Error> ParseDigest(const v1::Digest& digest, const std::string& field) {
  const auto parsed = DigestFromHex(digest.sha256(), digest.size_bytes());
  if (parsed) return *parsed;
  return Fail(ErrorCode::kInvalidArgument, "DIGEST_FORM",
              "a digest is 64 lower-case hexadecimal digits", field + ".sha256");
}

v1::Digest MessageOf(const Digest& digest) {
  v1::Digest message;
  message.set_sha256(HexOf(digest));
  message.set_size_bytes(digest.size_bytes);
  return message;
}

Result<std::string, Error> JobIdOf(const std::string& name) {
  if (name.starts_with(kJobNamePrefix) &&
      IsJobId(std::string_view(name).substr(kJobNamePrefix.size()))) {
    return name.substr(kJobNamePrefix.size());
  }
  return Fail(ErrorCode::kInvalidArgument, "JOB_NAME",
              "a job's name is \"jobs/\" and 26 characters of Crockford base 32", "name");
}

Result<CreateRequest, Error> RequestOf(const v1::CreateJobRequest& request) {
  const v1::JobSpec& message = request.spec();
  CreateRequest create;
  create.request_id = request.request_id();
  create.cancel_if_unwatched_s = request.cancel_if_unwatched_s();
  create.wait_for_debugger = request.wait_for_debugger();
  JobSpec& spec = create.spec;
  spec.argv.assign(message.argv().begin(), message.argv().end());
  spec.env.assign(message.env().begin(), message.env().end());
  spec.program = message.program();
  spec.working_directory = message.working_directory();
  const auto root = ParseDigest(message.root(), "spec.root");
  if (!root) return std::unexpected(root.error());
  spec.root = *root;
  if (message.has_stdin_blob()) {
    const auto blob = ParseDigest(message.stdin_blob(), "spec.stdin_blob");
    if (!blob) return std::unexpected(blob.error());
    spec.stdin_blob = *blob;
  }
  spec.stdin_stream = message.stdin_stream();
  spec.stdin_live = message.stdin_live();
  spec.real_clock = message.real_clock();
  if (message.has_terminal())
    spec.terminal = TerminalSize{message.terminal().rows(), message.terminal().columns()};
  spec.seed = message.seed();
  spec.limits.insert(message.limits().begin(), message.limits().end());
  spec.trace_syscalls = message.trace_syscalls();
  spec.world.insert(message.world().begin(), message.world().end());
  spec.labels.insert(message.labels().begin(), message.labels().end());
  return create;
}

Result<ListRequest, Error> RequestOf(const v1::ListJobsRequest& request) {
  ListRequest list;
  if (request.page_size() != 0) list.page_size = request.page_size();
  list.page_token = request.page_token();
  for (int i = 0; i < request.states_size(); ++i) {
    if (request.states(i) < v1::QUEUED || request.states(i) > v1::JobState_MAX) {
      return Fail(ErrorCode::kInvalidArgument, "UNKNOWN_STATE",
                  fmt::format("{} is no state of a job", static_cast<int>(request.states(i))),
                  fmt::format("states[{}]", i));
    }
    list.states.push_back(static_cast<JobState>(request.states(i)));
  }
  return list;
}

v1::Job MessageOf(const JobView& view) {
  v1::Job job;
  job.set_name(std::string(kJobNamePrefix) + view.id);
  *job.mutable_spec() = SpecMessage(*view.spec);
  job.set_state(StateMessage(view.state));
  job.set_attempts(view.attempts);
  SetTime(job.mutable_create_time(), view.create_ns);
  if (view.start_ns != 0) SetTime(job.mutable_start_time(), view.start_ns);
  if (view.end_ns != 0) SetTime(job.mutable_end_time(), view.end_ns);
  job.set_epoch(view.epoch);
  job.set_output_bytes(view.output_bytes);
  job.set_trace_events(view.trace_events);
  job.set_input_bytes(view.input_bytes);
  job.set_altered(view.outcome->altered);
  const JobOutcome& outcome = *view.outcome;
  if (IsTerminal(view.state) && outcome.end) SetResult(outcome, *job.mutable_result());
  if (view.state == JobState::kFailed && outcome.failure) {
    job.mutable_failure()->set_reason(outcome.failure->reason);
    job.mutable_failure()->set_message(outcome.failure->message);
  }
  for (const SandboxLayer& layer : outcome.sandbox) {
    auto* const message = job.mutable_sandbox()->add_layers();
    message->set_name(layer.name);
    message->set_in_force(layer.in_force);
    message->set_detail(layer.detail);
  }
  return job;
}

v1::JobEvent MessageOf(const JobEvent& event) {
  v1::JobEvent message;
  message.set_sequence(event.sequence);
  SetTime(message.mutable_time(), event.time_ns);
  message.set_state(StateMessage(event.state));
  message.set_attempt(event.attempt);
  message.set_message(event.message);
  return message;
}

v1::TraceEvent MessageOf(const TraceRecord& record, std::uint64_t sequence) {
  v1::TraceEvent message;
  message.set_sequence(sequence);
  message.set_icount(record.icount);
  message.set_virtual_time_ns(record.virtual_time_ns);
  message.set_pid(record.pid);
  message.set_tid(record.tid);
  message.set_name(record.name);
  message.set_signal(record.is_signal);
  message.mutable_arguments()->Assign(record.arguments.begin(), record.arguments.end());
  message.set_result(record.result);
  message.set_output_offset_bytes(record.output_offset_bytes);
  return message;
}

Result<std::string, Error> RootNameOf(const std::string& name, const std::string& field) {
  if (name.starts_with(kRootNamePrefix) && IsRootName(name.substr(kRootNamePrefix.size())))
    return name.substr(kRootNamePrefix.size());
  return Fail(ErrorCode::kInvalidArgument, "ROOT_NAME",
              fmt::format("a root's name is \"{}\" and 1 to {} of a-z, 0-9, '.', '_', '-', the "
                          "first a letter or digit",
                          kRootNamePrefix, kMaxRootName),
              field);
}

Result<NamedRoot, Error> RootOf(const v1::Root& message) {
  const auto name = RootNameOf(message.name(), "root.name");
  if (!name) return std::unexpected(name.error());
  const auto tree = ParseDigest(message.tree(), "root.tree");
  if (!tree) return std::unexpected(tree.error());
  NamedRoot root{*name, *tree, {}};
  const v1::RootConfig& config = message.config();
  root.config.env.assign(config.env().begin(), config.env().end());
  root.config.command.assign(config.command().begin(), config.command().end());
  root.config.working_directory = config.working_directory();
  root.config.uid = config.uid();
  root.config.gid = config.gid();
  return root;
}

v1::Root MessageOf(const NamedRoot& root) {
  v1::Root message;
  message.set_name(std::string(kRootNamePrefix) + root.name);
  *message.mutable_tree() = MessageOf(root.tree);
  v1::RootConfig& config = *message.mutable_config();
  config.mutable_env()->Assign(root.config.env.begin(), root.config.env.end());
  config.mutable_command()->Assign(root.config.command.begin(), root.config.command.end());
  config.set_working_directory(root.config.working_directory);
  config.set_uid(root.config.uid);
  config.set_gid(root.config.gid);
  SetTime(message.mutable_create_time(), root.create_ns);
  message.set_blobs(root.blobs);
  message.set_size_bytes(root.size_bytes);
  return message;
}

}  // namespace glovebox::server
