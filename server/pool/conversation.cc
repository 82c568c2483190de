#include "server/pool/conversation.h"

#include <algorithm>
#include <utility>

#include "engine/limits/limit_table.h"
#include "server/channel/bounds.h"
#include "server/channel/clean_text.h"

namespace glovebox::server {
namespace {

using channel::kMaxDetailBytes;
using channel::kMaxNameBytes;

using Checked = Result<void, Error>;

std::unexpected<Error> Nonsense(std::string what) {
  return Fail(ErrorCode::kInvalidArgument, "WORKER_NONSENSE",
              "the worker spoke nonsense: " + std::move(what));
}

bool Among(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

bool IsReason(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         Among(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

// Of a system call, an instruction or a layer: a word that can stand in a log line and in a map's
// key.
bool IsName(std::string_view text) {
  return text.size() <= kMaxNameBytes &&
         Among(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.()+/ ?");
}

bool IsText(std::string_view text, std::size_t max_bytes) {
  return text.size() <= max_bytes && channel::IsCleanText(text);
}

bool IsTraceHash(std::string_view text) {
  return text.size() == 32 && Among(text, "0123456789abcdef");
}

constexpr int kMaxExitStatus = 255;

// Kinds that tell the guest's own end, and the range of `code` that each may carry.
struct EndRow {
  wire::Ended::Kind wire;
  BoxEnd::Kind kind;
  int least_code;
  int most_code;
};
constexpr EndRow kEnds[] = {
    {wire::Ended::EXITED, BoxEnd::Kind::kExited, 0, kMaxExitStatus},
    {wire::Ended::SIGNALED, BoxEnd::Kind::kSignaled, 1, channel::kMaxSignal},
    {wire::Ended::LIMIT, BoxEnd::Kind::kLimit, 0, 0},
    {wire::Ended::DEADLOCK, BoxEnd::Kind::kDeadlock, 0, 0},
    {wire::Ended::NOT_STARTED, BoxEnd::Kind::kNotStarted, 1, channel::kMaxErrno},
    {wire::Ended::CANCELLED, BoxEnd::Kind::kCancelled, 0, 0},
    {wire::Ended::FAILED, BoxEnd::Kind::kFailed, 0, 0},
};

const EndRow* FindEnd(wire::Ended::Kind kind) {
  const auto* const row = std::ranges::find(kEnds, kind, &EndRow::wire);
  return row == std::end(kEnds) ? nullptr : row;
}

}  // namespace

// One row per message: in which state it may come, and what is looked at.
struct Conversation::Rule {
  wire::FromWorker::KindCase kind;
  const char* name;
  State state;
  Checked (Conversation::*check)(const wire::FromWorker&);
};

const Conversation::Rule Conversation::kRules[] = {
    {wire::FromWorker::kLocked, "Locked", State::kStarting, &Conversation::CheckLocked},
    {wire::FromWorker::kBlob, "BlobWanted", State::kRunning, &Conversation::CheckBlob},
    {wire::FromWorker::kInput, "InputWanted", State::kRunning, &Conversation::CheckInput},
    {wire::FromWorker::kOutput, "Output", State::kRunning, &Conversation::CheckOutput},
    {wire::FromWorker::kTrace, "Trace", State::kRunning, &Conversation::CheckTrace},
    {wire::FromWorker::kJournal, "JournalRecord", State::kRunning, &Conversation::CheckJournal},
    {wire::FromWorker::kDebug, "DebugOutput", State::kRunning, &Conversation::CheckDebug},
    {wire::FromWorker::kEnded, "Ended", State::kRunning, &Conversation::CheckEnded},
};

void Conversation::OnRun(const RunRequest& request) {
  request_ = &request;
  state_ = State::kRunning;
  debugged_ = request.waits_for_debugger || request.replay;
  for (const JournalRecord& record : request.journal) {
    changed_bytes_ += record.change.size();
    debugged_ = debugged_ || !record.change.empty();
  }
}

bool Conversation::OnMoreCore() {
  if (state_ != State::kRunning || cores_wanted_ == kMostCoresWanted) return false;
  debugged_ = true;
  ++cores_wanted_;
  return true;
}

bool Conversation::OnSignal() {
  constexpr std::uint64_t kMostUnderWay = 1024;
  if (signals_sent_ - signals_journalled_ >= kMostUnderWay) return false;
  ++signals_sent_;
  return true;
}

void Conversation::OnCancel(bool wall_limit) {
  cancel_sent_ = true;
  wall_limit_sent_ = wall_limit_sent_ || wall_limit;
}

bool Conversation::OnInputSupplied(std::size_t size_bytes, bool end) {
  if (input_wanted_bytes_ == 0 || size_bytes > input_wanted_bytes_ || (size_bytes == 0 && !end))
    return false;
  input_wanted_bytes_ = 0;
  return true;
}

bool Conversation::OnTyped(std::span<const std::byte> bytes, bool end) {
  if (!request_->live_input || end_typed_ || typed_.size() + bytes.size() > channel::kMaxLiveBytes)
    return false;
  typed_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  end_typed_ = end;
  return true;
}

bool Conversation::OnResize(const TerminalSize& size) {
  constexpr std::size_t kMostUnderWay = 1024;
  if (!request_->terminal || resizes_.size() >= kMostUnderWay) return false;
  resizes_.push_back(size);
  return true;
}

bool Conversation::OnDebug(std::size_t size_bytes) {
  if (state_ != State::kRunning || size_bytes > channel::kMaxDebugBytes) return false;
  debugged_ = true;
  return true;
}

bool Conversation::Advance(std::uint64_t icount) {
  if (icount < icount_) return false;
  icount_ = icount;
  return true;
}

std::uint64_t Conversation::LimitOf(std::string_view name) const {
  const auto limit = request_->limits.find(std::string(name));
  return limit == request_->limits.end() ? engine::kNoLimit : limit->second;
}

Checked Conversation::OnMessage(const wire::FromWorker& message) {
  const auto* const rule = std::ranges::find(kRules, message.kind_case(), &Rule::kind);
  if (rule == std::end(kRules)) return Nonsense("an empty message");
  if (rule->state != state_) return Nonsense(std::string(rule->name) + " out of turn");
  return (this->*rule->check)(message);
}

Checked Conversation::CheckLocked(const wire::FromWorker& message) {
  const auto& layers = message.locked().layers();
  if (static_cast<std::size_t>(layers.size()) > channel::kMaxLayers)
    return Nonsense("too many layers");
  for (const wire::Locked::Layer& layer : layers) {
    if (!IsName(layer.name()) || !IsText(layer.detail(), kMaxDetailBytes))
      return Nonsense("a layer's name or detail");
  }
  state_ = State::kIdle;
  return {};
}

Checked Conversation::CheckBlob(const wire::FromWorker& message) {
  if (message.blob().digest().sha256().size() != Digest{}.sha256.size())
    return Nonsense("a digest's length");
  if (std::exchange(blob_wanted_, true))
    return Nonsense("a second blob wanted before the first was answered");
  return {};
}

Checked Conversation::CheckInput(const wire::FromWorker& message) {
  const wire::InputWanted& wanted = message.input();
  if (!request_->has_stdin) return Nonsense("input wanted by a job without stdin");
  if (input_wanted_bytes_ != 0)
    return Nonsense("a second input wanted before the first was answered");
  if (wanted.size_bytes() == 0 || wanted.size_bytes() > channel::kMaxInputBytes)
    return Nonsense("size of input wanted");
  input_wanted_bytes_ = wanted.size_bytes();
  return {};
}

Checked Conversation::CheckOutput(const wire::FromWorker& message) {
  const wire::Output& output = message.output();
  if (request_->replay) return Nonsense("output of a replay");
  if (output.stream() != 1 && output.stream() != 2)
    return Nonsense("an output stream that is neither 1 nor 2");
  if (output.data().empty() || output.data().size() > channel::kMaxOutputBytes)
    return Nonsense("size of output");
  if (!Advance(output.icount())) return Nonsense("icount of output runs backwards");
  output_bytes_ += output.data().size();
  if (output_bytes_ > LimitOf("output")) return Nonsense("more output than the job's limit");
  return {};
}

Checked Conversation::CheckTrace(const wire::FromWorker& message) {
  const auto& events = message.trace().events();
  if (!request_->trace_syscalls || request_->replay)
    return Nonsense("trace events that nobody asked for");
  if (events.empty() || static_cast<std::size_t>(events.size()) > channel::kMaxTraceEvents) {
    return Nonsense("number of trace events");
  }
  const auto is_text = [](std::string_view text) {
    return IsText(text, channel::kMaxTraceStringBytes);
  };
  for (const wire::Trace::Event& event : events) {
    if (!Advance(event.icount())) return Nonsense("icount of a trace event runs backwards");
    if (!IsName(event.name()) || event.name().empty()) return Nonsense("name of a trace event");
    if (static_cast<std::size_t>(event.arguments_size()) > channel::kMaxTraceArguments ||
        !is_text(event.result()) || !std::ranges::all_of(event.arguments(), is_text)) {
      return Nonsense("text of a trace event");
    }
    if (event.output_offset_bytes() > output_bytes_)
      return Nonsense("output offset of a trace event");
  }
  return {};
}

Checked Conversation::CheckJournal(const wire::FromWorker& message) {
  const wire::JournalRecord& record = message.journal();
  if (request_->replay) return Nonsense("a journal record of a replay");
  if (const auto checked = CheckJournalled(record); !checked) return checked;
  if (!Advance(record.icount())) return Nonsense("icount of a journal record runs backwards");
  return {};
}

// Only what was sent can have taken effect, and in the order in which it was sent.
Checked Conversation::CheckJournalled(const wire::JournalRecord& record) {
  if (record.time_ns() != 0 || record.has_clock()) {
    if (!request_->real_clock)
      return Nonsense("a time in the journal of a job without a real clock");
    if (record.time_ns() < time_ns_) return Nonsense("the time of the journal runs backwards");
    time_ns_ = record.time_ns();
  }
  switch (record.kind_case()) {
    case wire::JournalRecord::kSignal:
      if (record.signal() < 1 || record.signal() > channel::kMaxSignal)
        return Nonsense("signal of a journal record");
      if (++signals_journalled_ > signals_sent_)
        return Nonsense("a journal record of a signal that nobody sent");
      return {};
    case wire::JournalRecord::kInput: {
      const std::string& data = record.input().data();
      if (data.empty() && !record.input().end()) return Nonsense("a journal record of no input");
      if (!typed_.starts_with(data)) return Nonsense("a journal record of input that nobody typed");
      typed_.erase(0, data.size());
      if (!record.input().end()) return {};
      if (!end_typed_ || !typed_.empty() || std::exchange(end_journalled_, true))
        return Nonsense("a journal record of the input's end");
      return {};
    }
    case wire::JournalRecord::kResize:
      if (resizes_.empty() ||
          resizes_.front() != TerminalSize{record.resize().rows(), record.resize().columns()}) {
        return Nonsense("a journal record of a size that nobody gave");
      }
      resizes_.pop_front();
      return {};
    case wire::JournalRecord::kClock:
      if (++clock_records_ > channel::kMaxClockRecords)
        return Nonsense("more times in the journal than a job may have");
      return {};
    case wire::JournalRecord::kChange:
      if (!debugged_) return Nonsense("a change by a debugger that never came");
      if (record.change().empty() || record.change().size() > channel::kMaxChangeBytes)
        return Nonsense("size of a debugger's change");
      changed_bytes_ += record.change().size();
      if (changed_bytes_ > channel::kMaxChangesBytes)
        return Nonsense("more of a debugger's changes than a journal takes");
      return {};
    case wire::JournalRecord::KIND_NOT_SET:
      break;
  }
  return Nonsense("a journal record of no kind");
}

Checked Conversation::CheckDebug(const wire::FromWorker& message) {
  const wire::DebugOutput& output = message.debug();
  if (!debugged_) return Nonsense("news of a debugger that never came");
  if (output.data().size() > channel::kMaxDebugBytes) return Nonsense("size of a debugger's bytes");
  if (!IsText(output.notice(), kMaxDetailBytes)) return Nonsense("a notice for the debugger");
  if (!output.has_core()) return {};
  const wire::CorePiece& piece = output.core();
  if (cores_wanted_ == 0) return Nonsense("a piece of a core that nobody asked for");
  --cores_wanted_;
  if (piece.data().size() > channel::kMaxCoreBytes) return Nonsense("size of a piece of a core");
  if (piece.offset_bytes() > channel::kMaxCoreFileBytes - piece.data().size())
    return Nonsense("place of a piece of a core");
  return {};
}

Checked Conversation::CheckTermination(const wire::Ended& ended) const {
  const EndRow* const row = FindEnd(ended.kind());
  if (row == nullptr) return Nonsense("an end of no kind");
  if (ended.code() < row->least_code || ended.code() > row->most_code)
    return Nonsense("code of the end");
  if (ended.core_available() && ended.kind() != wire::Ended::SIGNALED)
    return Nonsense("a core without a signal");
  if (ended.kind() == wire::Ended::FAILED ? !IsReason(ended.failure_reason())
                                          : !ended.failure_reason().empty()) {
    return Nonsense("reason of the end");
  }
  if (ended.kind() == wire::Ended::CANCELLED && !cancel_sent_)
    return Nonsense("cancelled, though nobody asked");
  if (ended.kind() != wire::Ended::LIMIT) {
    if (!ended.limit().empty() || ended.limit_value() != 0)
      return Nonsense("a limit without its kind");
    return {};
  }
  const engine::LimitRow* const limit = engine::FindLimit(ended.limit());
  if (limit == nullptr || ended.limit_value() != LimitOf(ended.limit()))
    return Nonsense("a limit that the job has not");
  if (limit->id == engine::LimitId::kWallTime && !wall_limit_sent_)
    return Nonsense("wall limit, though it was not hit");
  return {};
}

Checked Conversation::CheckEnded(const wire::FromWorker& message) {
  const wire::Ended& ended = message.ended();
  if (const auto checked = CheckTermination(ended); !checked) return checked;
  if (!IsText(ended.detail(), kMaxDetailBytes)) return Nonsense("the end's detail");
  if (!IsName(ended.unimplemented_mnemonic()) ||
      ended.unimplemented_code().size() > channel::kMaxInstructionBytes) {
    return Nonsense("unimplemented instruction");
  }
  if (static_cast<std::size_t>(ended.absent_syscalls_size()) > channel::kMaxAbsentSyscalls) {
    return Nonsense("number of absent system calls");
  }
  for (const auto& [name, count] : ended.absent_syscalls()) {
    if (name.empty() || !IsName(name) || count == 0) return Nonsense("an absent system call");
  }
  // A job that failed may not know its figures.
  if (ended.kind() != wire::Ended::FAILED) {
    if (!IsTraceHash(ended.trace_hash())) return Nonsense("trace hash");
    if (!Advance(ended.icount())) return Nonsense("icount of the end runs backwards");
    if (!request_->replay && ended.output_bytes() != output_bytes_)
      return Nonsense("the end counts other output than what came");
  } else if (!ended.trace_hash().empty() && !IsTraceHash(ended.trace_hash())) {
    return Nonsense("trace hash");
  }
  state_ = State::kEnded;
  return {};
}

Digest DigestOfWire(const wire::Digest& digest) {
  Digest out;
  std::ranges::copy(digest.sha256(), out.sha256.begin());
  out.size_bytes = digest.size_bytes();
  return out;
}

std::vector<SandboxLayer> LayersOf(const wire::Locked& locked) {
  std::vector<SandboxLayer> layers;
  for (const wire::Locked::Layer& layer : locked.layers()) {
    layers.push_back({layer.name(), layer.in_force(), layer.detail()});
  }
  return layers;
}

DebugNews DebugNewsOf(const wire::DebugOutput& output, std::uint32_t core_id) {
  DebugNews news;
  news.bytes = std::as_bytes(std::span(output.data()));
  if (output.has_stopped()) news.stopped = output.stopped();
  news.closed = output.closed();
  news.altered = output.altered();
  news.notice = output.notice();
  if (output.has_core() && output.core().id() == core_id) {
    news.core = CorePiece{output.core().offset_bytes(),
                          std::as_bytes(std::span(output.core().data())), output.core().end()};
  }
  return news;
}

std::vector<TraceRecord> TraceRecordsOf(const wire::Trace& trace) {
  std::vector<TraceRecord> records;
  records.reserve(static_cast<std::size_t>(trace.events_size()));
  for (const wire::Trace::Event& event : trace.events()) {
    records.push_back({.icount = event.icount(),
                       .virtual_time_ns = event.virtual_time_ns(),
                       .pid = event.pid(),
                       .tid = event.tid(),
                       .name = event.name(),
                       .is_signal = event.signal(),
                       .arguments = {event.arguments().begin(), event.arguments().end()},
                       .result = event.result(),
                       .output_offset_bytes = event.output_offset_bytes()});
  }
  return records;
}

JournalRecord JournalRecordOf(const wire::JournalRecord& record) {
  JournalRecord out{.icount = record.icount(),
                    .signal = record.signal(),
                    .while_waiting = record.while_waiting(),
                    .step = record.step(),
                    .input = record.input().data(),
                    .input_end = record.input().end(),
                    .resize = {},
                    .time_ns = record.time_ns(),
                    .change = record.change()};
  if (record.has_resize())
    out.resize = TerminalSize{record.resize().rows(), record.resize().columns()};
  return out;
}

wire::JournalRecord WireOf(const JournalRecord& record) {
  wire::JournalRecord out;
  out.set_icount(record.icount);
  out.set_step(record.step);
  out.set_while_waiting(record.while_waiting);
  out.set_time_ns(record.time_ns);
  if (record.resize) {
    out.mutable_resize()->set_rows(record.resize->rows);
    out.mutable_resize()->set_columns(record.resize->columns);
  } else if (!record.change.empty()) {
    out.set_change(record.change);
  } else if (record.signal != 0) {
    out.set_signal(record.signal);
  } else if (!record.input.empty() || record.input_end) {
    out.mutable_input()->set_data(record.input);
    out.mutable_input()->set_end(record.input_end);
  } else {
    out.set_clock(true);
  }
  return out;
}

BoxEnd BoxEndOf(const wire::Ended& ended) {
  const EndRow* const row = FindEnd(ended.kind());
  BoxEnd end;
  end.kind = row == nullptr ? BoxEnd::Kind::kFailed : row->kind;
  end.code = ended.code();
  end.core_available = ended.core_available();
  end.limit = ended.limit();
  end.limit_value = ended.limit_value();
  end.detail = ended.detail();
  end.failure_reason = ended.failure_reason();
  end.icount = ended.icount();
  end.virtual_time_ns = ended.virtual_time_ns();
  end.peak_memory_bytes = ended.peak_memory_bytes();
  end.output_bytes = ended.output_bytes();
  end.syscalls = ended.syscalls();
  end.trace_hash = ended.trace_hash();
  end.absent_syscalls = {ended.absent_syscalls().begin(), ended.absent_syscalls().end()};
  end.unimplemented_mnemonic = ended.unimplemented_mnemonic();
  end.unimplemented_code = ended.unimplemented_code();
  end.unimplemented_address = ended.unimplemented_address();
  end.host_cpu_time_ns = ended.host_cpu_time_ns();
  if (ended.has_step()) end.step = ended.step();
  return end;
}

namespace {

// What a replay has to know of the end.
void PutReplay(const RunRequest::Replay& replay, wire::Replay* out) {
  if (replay.icount) out->set_icount(*replay.icount);
  if (replay.core) out->mutable_core()->set_pid(*replay.core);
  if (!replay.end) return;
  const BoxEnd& end = *replay.end;
  const auto* const row = std::ranges::find(kEnds, end.kind, &EndRow::kind);
  wire::Ended& told = *out->mutable_end();
  if (row != std::end(kEnds)) told.set_kind(row->wire);
  told.set_code(end.code);
  told.set_limit(end.limit);
  told.set_icount(end.icount);
  told.set_output_bytes(end.output_bytes);
  told.set_trace_hash(end.trace_hash);
  if (end.step) told.set_step(*end.step);
}

}  // namespace

wire::ToWorker RunMessageOf(const RunRequest& request) {
  wire::ToWorker message;
  wire::RunJob& run = *message.mutable_run();
  run.mutable_argv()->Assign(request.argv.begin(), request.argv.end());
  run.mutable_env()->Assign(request.env.begin(), request.env.end());
  run.set_program(request.program);
  run.set_working_directory(request.working_directory);
  run.mutable_root()->set_sha256(request.root.sha256.data(), request.root.sha256.size());
  run.mutable_root()->set_size_bytes(request.root.size_bytes);
  run.set_seed(request.seed);
  run.mutable_limits()->insert(request.limits.begin(), request.limits.end());
  run.set_trace_syscalls(request.trace_syscalls);
  run.mutable_world()->insert(request.world.begin(), request.world.end());
  for (const JournalRecord& record : request.journal) *run.add_journal() = WireOf(record);
  run.set_has_stdin(request.has_stdin);
  run.set_live_input(request.live_input);
  run.set_real_clock(request.real_clock);
  run.set_waits_for_debugger(request.waits_for_debugger);
  if (request.replay) PutReplay(*request.replay, run.mutable_replay());
  if (request.terminal) {
    run.mutable_terminal()->set_rows(request.terminal->rows);
    run.mutable_terminal()->set_columns(request.terminal->columns);
  }
  return message;
}

}  // namespace glovebox::server
