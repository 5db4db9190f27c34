#include "common/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace millrace {
namespace {

bool g_json = false;
std::string g_component;

spdlog::logger& Logger() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("millrace", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

void AppendQuoted(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (byte < 0x20) {
      out.append("\\u00");
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

bool NeedsQuotes(std::string_view text) {
  return text.empty() || text.find_first_of(" =\"\n\t") != std::string_view::npos;
}

std::string Timestamp() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts;
  gmtime_r(&now.tv_sec, &parts);
  char text[40];
  const auto n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + n, sizeof text - n, ".%03ldZ", now.tv_nsec / 1000000);
  return text;
}

std::string AsText(std::string_view level, std::string_view message, log::Fields fields) {
  std::string line = Concat(Timestamp(), " ", level, " ", message);
  for (const auto& field : fields) {
    line.append(" ").append(field.key).append("=");
    if (NeedsQuotes(field.value)) {
      AppendQuoted(line, field.value);
    } else {
      line.append(field.value);
    }
  }
  return line;
}

std::string AsJson(std::string_view level, std::string_view message, log::Fields fields) {
  std::string line = Concat("{\"ts\":\"", Timestamp(), "\",\"level\":\"", level, "\",\"component\":");
  AppendQuoted(line, g_component);
  line.append(",\"msg\":");
  AppendQuoted(line, message);
  for (const auto& field : fields) {
    line.append(",");
    AppendQuoted(line, field.key);
    line.append(":");
    AppendQuoted(line, field.value);
  }
  return line.append("}");
}

void Write(spdlog::level::level_enum level, std::string_view name, std::string_view message, log::Fields fields) {
  if (!Logger().should_log(level)) return;
  Logger().log(level, g_json ? AsJson(name, message, fields) : AsText(name, message, fields));
}

}  // namespace

absl::Status InitLogging(const LogOptions& options) {
  const auto level = spdlog::level::from_str(options.level == "warn" ? "warning" : options.level);
  if (level == spdlog::level::off || level == spdlog::level::trace) {
    return InvalidArgument("log level '", options.level, "' is none of debug, info, warn, error");
  }
  if (options.format != "text" && options.format != "json") {
    return InvalidArgument("log format '", options.format, "' is neither text nor json");
  }
  g_json = options.format == "json";
  g_component = options.component;
  Logger().set_level(level);
  return absl::OkStatus();
}

namespace log {
void Debug(std::string_view message, Fields fields) { Write(spdlog::level::debug, "debug", message, fields); }
void Info(std::string_view message, Fields fields) { Write(spdlog::level::info, "info", message, fields); }
void Warn(std::string_view message, Fields fields) { Write(spdlog::level::warn, "warn", message, fields); }
void Error(std::string_view message, Fields fields) { Write(spdlog::level::err, "error", message, fields); }
}  // namespace log

}  // namespace millrace
