#include "server/core/codec.h"

#include <cstddef>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

namespace glovebox::server {
namespace {

// ---- The fields of each record, once: writing and reading walk the same list. A tag is never used
// again. ----

template <typename Visitor, typename Value>
void Fields(Visitor& visit, Value& value)
  requires std::is_same_v<std::remove_const_t<Value>, JobSpec>
{
  visit(1, value.argv);
  visit(2, value.env);
  visit(3, value.program);
  visit(4, value.working_directory);
  visit(5, value.root);
  visit(6, value.stdin_blob);
  visit(7, value.stdin_stream);
  visit(8, value.seed);
  visit(9, value.limits);
  visit(10, value.trace_syscalls);
  visit(11, value.world);
  visit(12, value.labels);
  visit(13, value.stdin_live);
  visit(14, value.terminal);
  visit(15, value.real_clock);
}

template <typename Visitor, typename Value>
void Fields(Visitor& visit, Value& value)
  requires std::is_same_v<std::remove_const_t<Value>, TerminalSize>
{
  visit(1, value.rows);
  visit(2, value.columns);
}

template <typename Visitor, typename Value>
void Fields(Visitor& visit, Value& value)
  requires std::is_same_v<std::remove_const_t<Value>, BoxEnd>
{
  visit(1, value.kind);
  visit(2, value.code);
  visit(3, value.core_available);
  visit(4, value.limit);
  visit(5, value.limit_value);
  visit(6, value.detail);
  visit(7, value.failure_reason);
  visit(8, value.icount);
  visit(9, value.virtual_time_ns);
  visit(10, value.peak_memory_bytes);
  visit(11, value.output_bytes);
  visit(12, value.syscalls);
  visit(13, value.trace_hash);
  visit(14, value.absent_syscalls);
  visit(15, value.unimplemented_mnemonic);
  visit(16, value.unimplemented_code);
  visit(17, value.unimplemented_address);
  visit(18, value.host_cpu_time_ns);
  visit(19, value.step);
}

template <typename Visitor, typename Value>
void Fields(Visitor& visit, Value& value)
  requires std::is_same_v<std::remove_const_t<Value>, SandboxLayer>
{
  visit(1, value.name);
  visit(2, value.in_force);
  visit(3, value.detail);
}

template <typename Visitor, typename Value>
void Fields(Visitor& visit, Value& value)
  requires std::is_same_v<std::remove_const_t<Value>, JobFailure>
{
  visit(1, value.reason);
  visit(2, value.message);
}

template <typename Visitor, typename Value>
void Fields(Visitor& visit, Value& value)
  requires std::is_same_v<std::remove_const_t<Value>, JobOutcome>
{
  visit(1, value.end);
  visit(2, value.journal_records);
  visit(3, value.failure);
  visit(4, value.sandbox);
  visit(5, value.altered);
  visit(6, value.waits_for_debugger);
}

template <typename Visitor, typename Value>
void Fields(Visitor& visit, Value& value)
  requires std::is_same_v<std::remove_const_t<Value>, TraceRecord>
{
  visit(1, value.icount);
  visit(2, value.virtual_time_ns);
  visit(3, value.pid);
  visit(4, value.tid);
  visit(5, value.name);
  visit(6, value.is_signal);
  visit(7, value.arguments);
  visit(8, value.result);
  visit(9, value.output_offset_bytes);
}

template <typename Visitor, typename Value>
void Fields(Visitor& visit, Value& value)
  requires std::is_same_v<std::remove_const_t<Value>, RootConfig>
{
  visit(1, value.env);
  visit(2, value.command);
  visit(3, value.working_directory);
  visit(4, value.uid);
  visit(5, value.gid);
}

// ---- Writing ----

class Writer;
template <typename Record>
std::string EncodeRecord(const Record& record);

void PutVarint(std::string& out, std::uint64_t n) {
  for (; n >= 0x80; n >>= 7) out.push_back(static_cast<char>(n | 0x80));
  out.push_back(static_cast<char>(n));
}

void PutSized(std::string& out, std::string_view payload) {
  PutVarint(out, payload.size());
  out.append(payload);
}

// The payload of a value, without its length.
template <typename Value>
std::string Payload(const Value& value) {
  std::string out;
  if constexpr (std::is_same_v<Value, std::string>) {
    out = value;
  } else if constexpr (std::is_enum_v<Value> || std::is_unsigned_v<Value>) {
    PutVarint(out, static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_integral_v<Value>) {
    const auto n = static_cast<std::int64_t>(value);
    PutVarint(out, static_cast<std::uint64_t>(n) << 1 ^ static_cast<std::uint64_t>(n >> 63));
  } else if constexpr (std::is_same_v<Value, Digest>) {
    out.assign(reinterpret_cast<const char*>(value.sha256.data()), value.sha256.size());
    PutVarint(out, value.size_bytes);
  } else {
    out = EncodeRecord(value);
  }
  return out;
}

class Writer {
 public:
  template <typename Value>
  void operator()(std::uint64_t tag, const Value& value) {
    if (value == Value{}) return;
    Put(tag, Payload(value));
  }
  // One that is there is written, whatever it holds.
  template <typename Value>
  void operator()(std::uint64_t tag, const std::optional<Value>& value) {
    if (value) Put(tag, Payload(*value));
  }
  template <typename Element>
  void operator()(std::uint64_t tag, const std::vector<Element>& list) {
    if (list.empty()) return;
    std::string payload;
    for (const Element& element : list) PutSized(payload, Payload(element));
    Put(tag, payload);
  }
  template <typename Value>
  void operator()(std::uint64_t tag, const std::map<std::string, Value>& map) {
    if (map.empty()) return;
    std::string payload;
    for (const auto& [key, value] : map) {
      PutSized(payload, key);
      PutSized(payload, Payload(value));
    }
    Put(tag, payload);
  }

  std::string Take() { return std::move(out_); }

 private:
  void Put(std::uint64_t tag, std::string_view payload) {
    PutVarint(out_, tag);
    PutSized(out_, payload);
  }

  std::string out_;
};

template <typename Record>
std::string EncodeRecord(const Record& record) {
  Writer writer;
  Fields(writer, record);
  return writer.Take();
}

// ---- Reading. Each function says whether the bytes were well-formed. ----

template <typename Record>
bool DecodeRecord(std::string_view bytes, Record& record);

bool TakeVarint(std::string_view& bytes, std::uint64_t& n) {
  n = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) return false;
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    n |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool TakeSized(std::string_view& bytes, std::string_view& payload) {
  std::uint64_t size = 0;
  if (!TakeVarint(bytes, size) || size > bytes.size()) return false;
  payload = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

template <typename Value>
bool ReadPayload(std::string_view payload, Value& value) {
  if constexpr (std::is_same_v<Value, std::string>) {
    value = payload;
    return true;
  } else if constexpr (std::is_enum_v<Value> || std::is_integral_v<Value>) {
    std::uint64_t n = 0;
    if (!TakeVarint(payload, n) || !payload.empty()) return false;
    if constexpr (std::is_signed_v<Value>) n = n >> 1 ^ (0 - (n & 1));
    value = static_cast<Value>(n);
    return true;
  } else if constexpr (std::is_same_v<Value, Digest>) {
    if (payload.size() < value.sha256.size()) return false;
    for (std::size_t i = 0; i < value.sha256.size(); ++i) {
      value.sha256[i] = static_cast<std::uint8_t>(payload[i]);
    }
    payload.remove_prefix(value.sha256.size());
    return TakeVarint(payload, value.size_bytes) && payload.empty();
  } else {
    return DecodeRecord(payload, value);
  }
}

template <typename Value>
bool ReadPayload(std::string_view payload, std::optional<Value>& value) {
  return ReadPayload(payload, value.emplace());
}

template <typename Element>
bool ReadPayload(std::string_view payload, std::vector<Element>& list) {
  while (!payload.empty()) {
    std::string_view element;
    if (!TakeSized(payload, element) || !ReadPayload(element, list.emplace_back())) return false;
  }
  return true;
}

template <typename Value>
bool ReadPayload(std::string_view payload, std::map<std::string, Value>& map) {
  while (!payload.empty()) {
    std::string_view key;
    std::string_view value;
    if (!TakeSized(payload, key) || !TakeSized(payload, value)) return false;
    if (!ReadPayload(value, map[std::string(key)])) return false;
  }
  return true;
}

// Fills the field whose tag is the one at hand.
class FieldReader {
 public:
  FieldReader(std::uint64_t tag, std::string_view payload) : tag_(tag), payload_(payload) {}
  template <typename Value>
  void operator()(std::uint64_t tag, Value& value) {
    if (tag == tag_) good_ = ReadPayload(payload_, value);
  }
  bool good() const { return good_; }

 private:
  std::uint64_t tag_;
  std::string_view payload_;
  bool good_ = true;
};

template <typename Record>
bool DecodeRecord(std::string_view bytes, Record& record) {
  while (!bytes.empty()) {
    std::uint64_t tag = 0;
    std::string_view payload;
    if (!TakeVarint(bytes, tag) || !TakeSized(bytes, payload)) return false;
    FieldReader reader(tag, payload);
    Fields(reader, record);
    if (!reader.good()) return false;
  }
  return true;
}

template <typename Record>
Result<Record, Error> DecodeWhole(std::string_view bytes, const char* what) {
  Record record;
  if (DecodeRecord(bytes, record)) return record;
  return Fail(ErrorCode::kDataLoss, "RECORD_DAMAGED",
              std::string("a stored ") + what + " is damaged");
}

}  // namespace

std::string Encode(const JobSpec& spec) { return EncodeRecord(spec); }
std::string Encode(const JobOutcome& outcome) { return EncodeRecord(outcome); }
std::string Encode(const TraceRecord& record) { return EncodeRecord(record); }
std::string Encode(const RootConfig& config) { return EncodeRecord(config); }

Result<JobSpec, Error> DecodeSpec(std::string_view bytes) {
  return DecodeWhole<JobSpec>(bytes, "job spec");
}
Result<JobOutcome, Error> DecodeOutcome(std::string_view bytes) {
  return DecodeWhole<JobOutcome>(bytes, "job outcome");
}
Result<TraceRecord, Error> DecodeTrace(std::string_view bytes) {
  return DecodeWhole<TraceRecord>(bytes, "trace event");
}
Result<RootConfig, Error> DecodeRootConfig(std::string_view bytes) {
  return DecodeWhole<RootConfig>(bytes, "root's configuration");
}

}  // namespace glovebox::server
