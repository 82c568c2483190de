#include "server/log_setup.h"

#include <memory>
#include <utility>

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "server/core/log.h"

namespace glovebox::server {
namespace {

// Length of the UTF-8 sequence at the start of `text`; 0 where there is none (RFC 3629, section 4).
std::size_t SequenceLength(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                             : lead >= 0xe0 && lead <= 0xef ? 3
                             : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  const unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

// "%*" in a pattern: the line's fields as members of a JSON object.
class JsonFields : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    std::string_view text(message.payload.data(), message.payload.size());
    std::string fields;
    if (text.starts_with(kJobField)) {
      const std::size_t end = std::min(text.find(' '), text.size());
      const std::string_view job = text.substr(kJobField.size(), end - kJobField.size());
      fields = fmt::format("\"job\":\"{}\",", JsonEscaped(job));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    fields += fmt::format("\"message\":\"{}\"", JsonEscaped(text));
    out.append(fields.data(), fields.data() + fields.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonFields>();
  }
};

}  // namespace

std::string JsonEscaped(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    const char c = text[0];
    if (length == 0) {
      escaped += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      escaped += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      escaped += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return escaped;
}

Result<void, Error> SetUpLog(const std::string& format, const std::string& level) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (format == "json") {
    formatter->add_flag<JsonFields>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%*})");
  } else if (format == "text") {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v");
  } else {
    return Fail(ErrorCode::kInvalidArgument, "LOG_FORMAT",
                fmt::format("no log format \"{}\"", format));
  }
  const auto wanted = spdlog::level::from_str(level);
  if (wanted == spdlog::level::off && level != "off") {
    return Fail(ErrorCode::kInvalidArgument, "LOG_LEVEL",
                fmt::format("no log level \"{}\"", level));
  }
  sink->set_formatter(std::move(formatter));
  auto logger = std::make_shared<spdlog::logger>("gloveboxd", std::move(sink));
  logger->set_level(wanted);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace glovebox::server
