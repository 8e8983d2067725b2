#include "layers/files/path.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace strata::files {
namespace {

Error invalid(std::string reason) { return {ErrorCode::invalid_argument, "path: " + std::move(reason)}; }

}  // namespace

Result<void> validate_name(std::string_view name) {
  if (name.empty()) return invalid("a name is empty");
  if (name == "." || name == "..") return invalid("\".\" and \"..\" are no names");
  if (name.size() > max_name_bytes) return invalid(fmt::format("a name is longer than {} bytes", max_name_bytes));
  if (name.find('/') != std::string_view::npos) return invalid("a name holds a slash");
  if (name.find('\0') != std::string_view::npos) return invalid("a NUL byte");
  if (!simdjson::validate_utf8(name.data(), name.size())) return invalid("not UTF-8");
  return {};
}

Result<std::string> canonical_path(std::string_view path) {
  if (path.size() > max_path_bytes) return invalid(fmt::format("longer than {} bytes", max_path_bytes));
  std::string canonical;
  canonical.reserve(path.size() + 1);
  size_t depth = 0;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (part.empty()) continue;
    RETURN_IF_ERROR(validate_name(part));
    if (++depth > max_depth) return invalid(fmt::format("more than {} names deep", max_depth));
    canonical += '/';
    canonical += part;
  }
  if (canonical.empty()) canonical = "/";
  if (canonical.size() > max_path_bytes) return invalid(fmt::format("longer than {} bytes", max_path_bytes));
  return canonical;
}

std::string_view parent_path(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string_view name_of_path(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string join_path(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (path.back() != '/') path += '/';
  path += name;
  return path;
}

}  // namespace strata::files
