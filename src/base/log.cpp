#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <iterator>

#include "base/clock.h"

namespace strata::log {
namespace {

constexpr std::array<std::string_view, 5> level_names = {"debug", "info", "warning", "error", "off"};

std::atomic<Format> configured_format{Format::pretty};
std::atomic<Level> configured_level{Level::info};

// Bytes of the valid UTF-8 sequence at the front of `text`; 0: none (RFC 3629: no overlong forms, no surrogates).
size_t sequence_length(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool allowed = first == 0xE0 ? byte(1) >= 0xA0 : first == 0xED ? byte(1) < 0xA0 : true;
    return allowed && continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool allowed = first == 0xF0 ? byte(1) >= 0x90 : first == 0xF4 ? byte(1) < 0x90 : true;
    return allowed && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// C0, DEL, and C1 (which UTF-8 spells C2 80 to C2 9F): all of them can steer a terminal.
bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  return first < 0x20 || first == 0x7F || (first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0);
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    if (length == 0) {
      out += "\\ufffd";
      text.remove_prefix(1);
      continue;
    }
    const std::string_view sequence = text.substr(0, length);
    text.remove_prefix(length);
    if (sequence == "\n") {
      out += "\\n";
    } else if (is_control(sequence)) {
      const auto last = static_cast<unsigned char>(sequence.back());
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", last);
    } else {
      if (sequence == "\"" || sequence == "\\") out += '\\';
      out += sequence;
    }
  }
  out += '"';
}

void append_pretty(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    text.remove_prefix(sequence.size());
    if (length == 0 || is_control(sequence)) {
      for (char c : sequence) {
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
      }
    } else {
      out += sequence;
    }
  }
}

void append_pretty_value(std::string& out, std::string_view text) {
  const bool plain = !text.empty() && text.find_first_of(" \"=") == std::string_view::npos;
  if (!plain) out += '"';
  append_pretty(out, text);
  if (!plain) out += '"';
}

void append_value(std::string& out, Format format, const Field::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    format == Format::json ? append_json_string(out, *text) : append_pretty_value(out, *text);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    fmt::format_to(std::back_inserter(out), "{}", *integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    // JSON has no word for these.
    if (std::isfinite(*number)) {
      fmt::format_to(std::back_inserter(out), "{}", *number);
    } else {
      out += "null";
    }
  } else {
    out += std::get<bool>(value) ? "true" : "false";
  }
}

std::string timestamp(int64_t wall_us) {
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm time{};
  gmtime_r(&seconds, &time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
                     time.tm_hour, time.tm_min, time.tm_sec, wall_us / 1'000 % 1'000);
}

void write(Level level, std::string_view message, Fields fields) {
  if (level < configured_level.load(std::memory_order_relaxed)) return;
  const std::string line =
      render(configured_format.load(std::memory_order_relaxed), level, system_clock().wall_us(), message, fields);
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads the log: there is nobody to tell
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

std::optional<Level> parse_level(std::string_view name) {
  for (size_t i = 0; i < level_names.size(); ++i) {
    if (name == level_names[i]) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::optional<Format> parse_format(std::string_view name) {
  if (name == "pretty") return Format::pretty;
  if (name == "json") return Format::json;
  return std::nullopt;
}

void configure(Format format, Level level) {
  configured_format = format;
  configured_level = level;
}

void debug(std::string_view message, Fields fields) { write(Level::debug, message, fields); }
void info(std::string_view message, Fields fields) { write(Level::info, message, fields); }
void warning(std::string_view message, Fields fields) { write(Level::warning, message, fields); }
void error(std::string_view message, Fields fields) { write(Level::error, message, fields); }

std::string render(Format format, Level level, int64_t wall_us, std::string_view message, Fields fields) {
  const std::string_view level_name = level_names[static_cast<size_t>(level)];
  std::string line;
  if (format == Format::json) {
    line = fmt::format(R"({{"time":"{}","level":"{}","message":)", timestamp(wall_us), level_name);
    append_json_string(line, message);
    for (const Field& field : fields) {
      line += ',';
      append_json_string(line, field.name);
      line += ':';
      append_value(line, format, field.value);
    }
    line += '}';
  } else {
    line = fmt::format("{} {:<7} ", timestamp(wall_us), level_name);
    append_pretty(line, message);
    for (const Field& field : fields) {
      line += ' ';
      append_pretty(line, field.name);
      line += '=';
      append_value(line, format, field.value);
    }
  }
  line += '\n';
  return line;
}

}  // namespace strata::log
