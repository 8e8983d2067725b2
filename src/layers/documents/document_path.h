// DocumentPath: where in a document, written "$.address.city" or "address.city"; "$" is the document itself.
//
// Purpose:       the one reading of paths for transforms, filters, projections, indexes and orders.
// Ownership:     owns its segments.
// Thread safety: as a value.
// Invariants:    at most max_path_segments names, none of them empty. A backslash before a dot, a comma, an asterisk, a
//                minus or a backslash makes that part of a name; anywhere else it is itself.
#pragma once

#include <simdjson.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::documents {

inline constexpr size_t max_path_segments = 128;
inline constexpr size_t max_path_bytes = 4096;

class DocumentPath {
 public:
  // The document itself.
  DocumentPath() = default;
  // invalid_argument: empty, an empty name, too long, invalid UTF-8. The message quotes the path.
  static Result<DocumentPath> parse(std::string_view text);

  bool is_root() const { return segments_.empty(); }
  std::span<const std::string> segments() const { return segments_; }
  // As parse reads it back; "$" for the root.
  std::string to_string() const;

  friend bool operator==(const DocumentPath&, const DocumentPath&) = default;

 private:
  std::vector<std::string> segments_;
};

// A name between the dots of a path as it was written; `wildcard` where it was a bare asterisk.
struct PathSegment {
  std::string name;
  bool wildcard = false;
};
// What parse does, for texts that may hold wildcards.
Result<std::vector<PathSegment>> split_path(std::string_view text);

// Calls visit(element) for every value that is not an array at `path` below `value`, descending the arrays that lie on
// the way and at the end, in document order. visit answers true to stop; the answer is whether it did.
// Depth is bounded by the document's.
template <class Visit>
bool visit_values(simdjson::dom::element value, std::span<const std::string> path, Visit&& visit) {
  while (!path.empty() && value.is_object()) {
    simdjson::dom::element next;
    if (value.get_object().value_unsafe().at_key(path.front()).get(next) != simdjson::SUCCESS) return false;
    value = next;
    path = path.subspan(1);
  }
  if (value.is_array()) {
    // Named: a loop over value_unsafe() itself reads from a result that is gone.
    const simdjson::dom::array elements = value.get_array().value_unsafe();
    for (const simdjson::dom::element element : elements) {
      if (visit_values(element, path, visit)) return true;
    }
    return false;
  }
  return path.empty() && visit(value);
}

}  // namespace strata::documents
