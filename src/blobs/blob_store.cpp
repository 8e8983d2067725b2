#include "blobs/blob_store.h"

#include <fmt/format.h>

#include <algorithm>

namespace strata::blobs {
namespace {

constexpr size_t max_name_bytes = 1'024;

bool is_legal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

Result<void> validate_blob_name(std::string_view name) {
  bool legal = !name.empty() && name.size() <= max_name_bytes;
  for (std::string_view rest = name; legal;) {
    const size_t end = rest.find('/');
    const std::string_view part = rest.substr(0, end);
    legal = !part.empty() && part != "." && part != ".." && std::all_of(part.begin(), part.end(), is_legal);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (legal) return {};
  return Error(ErrorCode::invalid_argument,
               fmt::format("\"{}\" is no name of a file of a backup: letters, digits, '.', '_' and '-', "
                           "in parts that '/' joins",
                           printable(name)));
}

}  // namespace strata::blobs
