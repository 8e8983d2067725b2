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

Error path_is_root() { return {ErrorCode::invalid_argument, "the path is empty: this is the root directory"}; }

Result<void> check_not_reserved(std::string_view path) {
  if (PathParts(path).next() != "_hash") return {};
  return Error(ErrorCode::invalid_argument,
               "/_hash is where entries are read by their hashes: no file can be put there");
}

Result<std::string> canonical_written_path(std::string_view path) {
  ASSIGN_OR_RETURN(std::string canonical, canonical_path(path));
  if (canonical == "/") return path_is_root();
  RETURN_IF_ERROR(check_not_reserved(canonical));
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
