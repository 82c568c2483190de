#include "client/render/job.h"

#include <fmt/core.h>
#include <google/protobuf/util/time_util.h>

#include <csignal>
#include <cstring>
#include <map>

#include "client/render/table.h"
#include "client/render/units.h"
#include "client/rpc/job_name.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kCommandWidth = 60;
constexpr int kFirstRealTime = 32;  // signal(7): the kernel's SIGRTMIN

std::vector<std::string> Words(const google::protobuf::RepeatedPtrField<std::string>& words) {
  return {words.begin(), words.end()};
}

std::string Shortened(std::string text) {
  if (text.size() <= kCommandWidth) return text;
  std::size_t end = kCommandWidth - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;  // whole characters
  return text.substr(0, end) + "...";
}

std::string TerminationText(const v1::Termination& termination) {
  switch (termination.kind_case()) {
    case v1::Termination::kExited:
      return fmt::format("exited with status {}", termination.exited());
    case v1::Termination::kSignaled:
      return fmt::format("killed by signal {} ({})", termination.signaled(),
                         SignalText(termination.signaled()));
    case v1::Termination::kLimit:
      return fmt::format("hit its limit {} ({})", termination.limit().limit(),
                         LimitText(termination.limit().unit(), termination.limit().value()));
    case v1::Termination::kDeadlock:
      return fmt::format("deadlocked: {}", termination.deadlock());
    case v1::Termination::kNotStarted:
      return fmt::format("could not be started: {} ({})", termination.not_started().error_name(),
                         termination.not_started().detail());
    case v1::Termination::KIND_NOT_SET:
      break;
  }
  return "ended without a word";
}

void AddResult(Facts& facts, const v1::Job& job) {
  const v1::JobResult& result = job.result();
  facts.emplace_back("result", OutcomeText(job));
  facts.emplace_back("instructions", CountText(result.icount()));
  facts.emplace_back("virtual time", DurationText(result.virtual_time_ns()));
  facts.emplace_back("peak memory", BytesText(result.peak_memory_bytes()));
  facts.emplace_back("output", BytesText(result.output_bytes()));
  facts.emplace_back("system calls", CountText(result.syscalls()));
  facts.emplace_back("trace hash", result.trace_hash());
  facts.emplace_back("processor time", DurationText(result.host_cpu_time_ns()));
  if (result.journal_records() > 0) {
    facts.emplace_back("outside inputs", CountText(result.journal_records()));
  }
  const std::string absent = AbsentSyscallsText(result);
  if (!absent.empty()) facts.emplace_back("calls not served", absent);
  const std::string unimplemented = UnimplementedText(result);
  if (!unimplemented.empty()) facts.emplace_back("unimplemented", unimplemented);
}

std::string SandboxText(const v1::Sandbox& sandbox) {
  std::string text;
  for (const v1::Sandbox::Layer& layer : sandbox.layers()) {
    text += fmt::format("{}{}: {}{}", text.empty() ? "" : "\n", layer.name(),
                        layer.in_force() ? "in force" : "NOT in force",
                        layer.detail().empty() ? "" : ", " + layer.detail());
  }
  return text;
}

// A map of the wire in a fixed order.
template <typename Map>
auto Sorted(const Map& map) {
  return std::map<typename Map::key_type, typename Map::mapped_type>(map.begin(), map.end());
}

}  // namespace

std::string TimeText(const google::protobuf::Timestamp& time) {
  google::protobuf::Timestamp seconds;
  seconds.set_seconds(time.seconds());
  std::string text = google::protobuf::util::TimeUtil::ToString(seconds);
  const std::size_t t = text.find('T');
  if (t != std::string::npos) text[t] = ' ';
  return text;
}

std::string SignalText(int number) {
  if (const char* name = ::sigabbrev_np(number)) return fmt::format("SIG{}", name);
  return number >= kFirstRealTime ? fmt::format("SIGRT{}", number - kFirstRealTime)
                                  : fmt::format("signal {}", number);
}

std::string OutcomeText(const v1::Job& job) {
  switch (job.state()) {
    case v1::SUCCEEDED:
      return TerminationText(job.result().termination());
    case v1::FAILED:
      return fmt::format("failed: {} ({})", job.failure().message(), job.failure().reason());
    case v1::CANCELLED:
      return "cancelled";
    default:
      return "";
  }
}

std::string UnimplementedText(const v1::JobResult& result) {
  if (!result.has_unimplemented_instruction()) return "";
  const v1::UnimplementedInstruction& instruction = result.unimplemented_instruction();
  std::string bytes;
  for (const char byte : instruction.code()) {
    bytes += fmt::format("{}{:02x}", bytes.empty() ? "" : " ", static_cast<unsigned char>(byte));
  }
  return fmt::format("instruction {} [{}] at {:#x}", instruction.mnemonic(), bytes,
                     instruction.address());
}

std::string AbsentSyscallsText(const v1::JobResult& result) {
  std::string text;
  for (const auto& [name, calls] : Sorted(result.absent_syscalls())) {
    if (name == "rseq") continue;
    text += fmt::format("{}{} ({} {})", text.empty() ? "" : ", ", name, calls,
                        calls == 1 ? "call" : "calls");
  }
  return text;
}

std::string MissingLayersText(const v1::Sandbox& sandbox) {
  std::string text;
  for (const v1::Sandbox::Layer& layer : sandbox.layers()) {
    if (layer.in_force()) continue;
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", layer.name(),
                        layer.detail().empty() ? "" : " (" + layer.detail() + ")");
  }
  return text;
}

std::string JobList(const std::vector<v1::Job>& jobs) {
  std::vector<std::vector<std::string>> rows{{"JOB", "CREATED", "STATE", "RESULT", "COMMAND"}};
  for (const v1::Job& job : jobs) {
    rows.push_back({std::string(JobId(job.name())), TimeText(job.create_time()),
                    v1::JobState_Name(job.state()), Shortened(OutcomeText(job)),
                    Shortened(ShellJoin(Words(job.spec().argv())))});
  }
  return Columns(rows);
}

std::string JobSummary(const v1::Job& job) {
  Facts facts{{"job", std::string(JobId(job.name()))}};
  AddResult(facts, job);
  const std::string layers = MissingLayersText(job.sandbox());
  if (!layers.empty()) facts.emplace_back("warning", "sandbox layers not in force: " + layers);
  return FactLines(facts, "glovebox: ");
}

std::string JobDetails(const v1::Job& job) {
  const v1::JobSpec& spec = job.spec();
  Facts facts{{"job", std::string(JobId(job.name()))},
              {"command", ShellJoin(Words(spec.argv()))},
              {"program", spec.program()},
              {"directory", spec.working_directory()},
              {"root", spec.root().sha256()},
              {"seed", std::to_string(spec.seed())},
              {"state", v1::JobState_Name(job.state())},
              {"attempts", std::to_string(job.attempts())},
              {"epoch", std::to_string(job.epoch())},
              {"created", TimeText(job.create_time())}};
  const auto add_list = [&](std::string_view name, const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
    if (!text.empty()) facts.emplace_back(name, text);
  };
  if (job.has_start_time()) facts.emplace_back("started", TimeText(job.start_time()));
  if (job.has_end_time()) facts.emplace_back("ended", TimeText(job.end_time()));
  add_list("environment", Words(spec.env()));
  std::vector<std::string> lines;
  for (const auto& [name, value] : Sorted(spec.limits())) {
    lines.push_back(fmt::format("{}={}", name, value));
  }
  add_list("limits", lines);
  lines.clear();
  for (const auto& [key, value] : Sorted(spec.world())) lines.push_back(key + "=" + value);
  add_list("world", lines);
  lines.clear();
  for (const auto& [key, value] : Sorted(spec.labels())) lines.push_back(key + "=" + value);
  add_list("labels", lines);
  if (job.altered()) facts.emplace_back("altered", "a debugger has changed its course");
  if (spec.trace_syscalls()) facts.emplace_back("trace events", CountText(job.trace_events()));
  if (job.has_result() || job.has_failure()) {
    AddResult(facts, job);
  } else {
    facts.emplace_back("output so far", BytesText(job.output_bytes()));
  }
  const std::string sandbox = SandboxText(job.sandbox());
  if (!sandbox.empty()) facts.emplace_back("sandbox", sandbox);
  return FactLines(facts);
}

std::string EventLine(const v1::JobEvent& event) {
  return fmt::format("{:>4}  {}  {:<10}  attempt {}{}{}\n", event.sequence(),
                     TimeText(event.time()), v1::JobState_Name(event.state()), event.attempt(),
                     event.message().empty() ? "" : "  ", event.message());
}

std::string TraceLine(const v1::TraceEvent& event) {
  std::string arguments;
  for (const std::string& argument : event.arguments()) {
    arguments += (arguments.empty() ? "" : ", ") + argument;
  }
  if (event.signal()) {
    return fmt::format("[{:>10}] --- {} {{{}}} ---\n", event.icount(), event.name(), arguments);
  }
  return fmt::format("[{:>10}] {}({}) = {}\n", event.icount(), event.name(), arguments,
                     event.result());
}

}  // namespace glovebox::client
