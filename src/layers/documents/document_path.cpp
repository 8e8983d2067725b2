#include "layers/documents/document_path.h"

namespace strata::documents {

namespace {

Error bad_path(std::string_view text, std::string_view why) {
  return Error(ErrorCode::invalid_argument, "path \"" + printable(text) + "\": " + std::string(why));
}

bool is_escapable(char c) { return c == '.' || c == ',' || c == '*' || c == '-' || c == '\\'; }

}  // namespace

Result<std::vector<PathSegment>> split_path(std::string_view text) {
  if (text.empty()) return bad_path(text, "is empty");
  if (text.size() > max_path_bytes) return bad_path(text, "is longer than 4096 bytes");
  if (!simdjson::validate_utf8(text.data(), text.size())) return bad_path(text, "is not UTF-8");
  std::vector<PathSegment> segments;
  if (text == "$") return segments;
  std::string_view rest = text.starts_with("$.") ? text.substr(2) : text;
  bool more = true;
  while (more) {
    if (segments.size() == max_path_segments) return bad_path(text, "has more than 128 names");
    PathSegment& segment = segments.emplace_back();
    size_t i = 0;
    for (; i < rest.size() && rest[i] != '.'; ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size() && is_escapable(rest[i + 1])) ++i;
      segment.name.push_back(rest[i]);
    }
    if (segment.name.empty()) return bad_path(text, "has an empty name");
    segment.wildcard = rest.substr(0, i) == "*";
    more = i < rest.size();
    rest.remove_prefix(more ? i + 1 : i);
  }
  return segments;
}

Result<DocumentPath> DocumentPath::parse(std::string_view text) {
  ASSIGN_OR_RETURN(auto segments, split_path(text));
  DocumentPath path;
  path.segments_.reserve(segments.size());
  for (PathSegment& segment : segments) path.segments_.push_back(std::move(segment.name));
  return path;
}

std::string DocumentPath::to_string() const {
  if (segments_.empty()) return "$";
  std::string text;
  // A document may have a member called "$".
  if (segments_.front() == "$") text = "$.";
  const char* separator = "";
  for (const std::string& segment : segments_) {
    text += separator;
    separator = ".";
    for (const char c : segment) {
      if (is_escapable(c) && c != '-') text.push_back('\\');
      text.push_back(c);
    }
  }
  return text;
}

}  // namespace strata::documents
