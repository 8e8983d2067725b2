// Paths of versioned files.
//
// Purpose:       one place where a path from outside is checked; everything behind it is canonical.
// Ownership:     views are of what was passed.
// Thread safety: pure functions.
// Invariants:    a canonical path begins with '/', has no empty part and none of "." and "..", and no '/' at its end
//                but for the root, which is "/". Valid UTF-8 without NUL; at most max_path_bytes, max_name_bytes a part
//                and max_depth parts.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strata::files {

inline constexpr size_t max_path_bytes = 4'096;
inline constexpr size_t max_name_bytes = 1'024;
inline constexpr size_t max_depth = 256;

// A slash more or less at either end, or doubled, is forgiven. invalid_argument with the reason.
Result<std::string> canonical_path(std::string_view path);
// The same of a part alone.
Result<void> validate_name(std::string_view name);

// The answer to who would put or remove the root.
Error path_is_root();
// Of a canonical path. Nothing is put into /_hash: what stands behind it in a URL is a hash, so nobody could read it.
Result<void> check_not_reserved(std::string_view path);
// Of a path that something is put at: canonical, not the root, not reserved.
Result<std::string> canonical_written_path(std::string_view path);

// Of canonical paths. The root has no name and is its own parent.
std::string_view parent_path(std::string_view path);
std::string_view name_of_path(std::string_view path);
std::string join_path(std::string_view directory, std::string_view name);

// The parts of a canonical path, first to last.
class PathParts {
 public:
  explicit PathParts(std::string_view path) : rest_(path.substr(1)) {}
  // Empty at the end.
  std::string_view next() {
    const std::string_view part = rest_.substr(0, rest_.find('/'));
    rest_.remove_prefix(std::min(rest_.size(), part.size() + 1));
    return part;
  }

 private:
  std::string_view rest_;
};

}  // namespace strata::files
