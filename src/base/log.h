// The log: one line an event, for people (pretty) or for programs (json), on standard error.
//
// Purpose:       what an operator has to know. Requests are not logged: they are counted (base/metrics.h).
// Ownership:     nothing is kept; a line is written with one write(2) before the call returns, so that it survives a
//                crash that follows. An asynchronous logger (spdlog's) would lose the last and most telling lines.
// Thread safety: any thread; lines do not mix (a pipe takes up to 4,096 bytes at once, a file any length).
// Invariants:    a line is a line: control characters and broken UTF-8 in messages and fields are escaped, so what a
//                client sent cannot forge an entry or a terminal sequence.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace strata::log {

enum class Level : uint8_t { debug, info, warning, error, off };
enum class Format : uint8_t { pretty, json };

std::optional<Level> parse_level(std::string_view name);
std::optional<Format> parse_format(std::string_view name);

// log::info("listening", {{"address", address}, {"port", 8080}});
struct Field {
  using Value = std::variant<std::string_view, int64_t, double, bool>;
  template <class T>
  Field(std::string_view field_name, const T& field_value) : name(field_name), value(value_of(field_value)) {}

  std::string_view name;
  Value value;

 private:
  template <class T>
  static Value value_of(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      return value;
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<double>(value);
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<int64_t>(value);
    } else {
      return std::string_view(value);
    }
  }
};
using Fields = std::initializer_list<Field>;

// From now on, for the process. Before: pretty, info.
void configure(Format format, Level level);

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warning(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

// The line of an event, its end included.
std::string render(Format format, Level level, int64_t wall_us, std::string_view message, Fields fields);

}  // namespace strata::log
