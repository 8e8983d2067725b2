#include "app/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/bytes.h"

namespace strata::app {
namespace {

constexpr size_t max_file_bytes = 1 << 20;

Error error_at(const toml::source_region& where, std::string_view file_name, std::string_view what) {
  return Error(ErrorCode::invalid_argument,
               fmt::format("{}:{}:{}: {}", file_name, where.begin.line, where.begin.column, what));
}

// The text that the option would have on the command line.
std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  return std::nullopt;
}

Result<std::vector<std::string>> values_of(const OptionRow& row, const toml::node& node, std::string_view file_name) {
  const bool list = row.kind == OptionKind::list || row.kind == OptionKind::secret;
  std::vector<std::string> values;
  if (const toml::array* array = list ? node.as_array() : nullptr) {
    for (const toml::node& element : *array) {
      auto text = scalar_text(element);
      if (!text) return error_at(element.source(), file_name, fmt::format("{} takes strings", row.name));
      values.push_back(std::move(*text));
    }
    return values;
  }
  auto text = scalar_text(node);
  if (!text) {
    return error_at(node.source(), file_name,
                    fmt::format("{} takes a string, a whole number or true or false{}", row.name,
                                list ? ", or an array of strings" : ""));
  }
  values.push_back(std::move(*text));
  return values;
}

Result<RawValues> values_of_table(const toml::table& table, std::string_view file_name) {
  RawValues values;
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const OptionRow* row = find_option(name);
    if (row == nullptr) {
      return error_at(node.source(), file_name, fmt::format("\"{}\" is not an option", printable(name)));
    }
    ASSIGN_OR_RETURN(values[name], values_of(*row, node, file_name));
  }
  return values;
}

}  // namespace

Result<RawValues> parse_config(std::string_view text, std::string_view file_name) {
  try {
    return values_of_table(toml::parse(text), file_name);
  } catch (const toml::parse_error& error) {
    return error_at(error.source(), file_name, error.description());
  }
}

Result<RawValues> read_config_file(const std::string& file_name) {
  errno = 0;
  std::ifstream file(file_name, std::ios::binary);
  std::string text(max_file_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::io_error;
    return Error(code, fmt::format("{}: {}", file_name, std::strerror(errno)));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > max_file_bytes) {
    return Error(ErrorCode::payload_too_large, fmt::format("{}: larger than {} bytes", file_name, max_file_bytes));
  }
  return parse_config(text, file_name);
}

}  // namespace strata::app
