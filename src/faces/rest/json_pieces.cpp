#include "faces/rest/json_pieces.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "base/json_text.h"
#include "base/parse_number.h"

namespace strata::rest {
namespace {

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Error malformed(std::string_view what) { return invalid(fmt::format("malformed JSON in {}", what)); }

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void skip_blanks(BytesView text, size_t& at) {
  while (at < text.size() && is_blank(text[at])) ++at;
}

// Brackets are counted, not matched: who parses the piece sees what is wrong with it.
bool skip_value(BytesView text, size_t& at) {
  if (at == text.size()) return false;
  if (text[at] == '"') return skip_json_string(text, at);
  if (text[at] != '{' && text[at] != '[') {
    const size_t begin = at;
    while (at < text.size() && !is_blank(text[at]) && text[at] != ',' && text[at] != ']' && text[at] != '}') ++at;
    return at > begin;
  }
  size_t depth = 0;
  while (at < text.size()) {
    switch (text[at]) {
      case '"':
        if (!skip_json_string(text, at)) return false;
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (--depth == 0) {
          ++at;
          return true;
        }
        break;
      default:
        break;
    }
    ++at;
  }
  return false;
}

std::optional<uint32_t> take_hex(BytesView text, size_t at) {
  if (text.size() < at + 4) return std::nullopt;
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
  if (error != std::errc() || end != text.data() + at + 4) return std::nullopt;
  return value;
}

char* append_utf8(char* out, uint32_t code) {
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xC0 | (code >> 6));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xE0 | (code >> 12));
    *out++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out++ = static_cast<char>(0xF0 | (code >> 18));
    *out++ = static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    *out++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return out;
}

// \uXXXX, two of them for what is beyond 16 bits; `at` stands on the u and is left behind what was taken.
std::optional<uint32_t> take_code_point(BytesView text, size_t& at) {
  const auto first = take_hex(text, at + 1);
  if (!first) return std::nullopt;
  at += 5;
  if (*first < 0xD800 || *first > 0xDFFF) return first;
  if (*first > 0xDBFF || text.size() < at + 6 || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  const auto second = take_hex(text, at + 2);
  if (!second || *second < 0xDC00 || *second > 0xDFFF) return std::nullopt;
  at += 6;
  return 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00);
}

// The inside of a string.
std::optional<BytesView> unescape(BytesView text, Arena& arena) {
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) return std::nullopt;
  if (text.find('\\') == BytesView::npos) return text;
  // Nothing grows: \u and four digits are six bytes and become four at most.
  char* const begin = arena.allocate(text.size());
  char* out = begin;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      *out++ = text[at++];
      continue;
    }
    if (++at == text.size()) return std::nullopt;
    if (text[at] == 'u') {
      const auto code = take_code_point(text, at);
      if (!code) return std::nullopt;
      out = append_utf8(out, *code);
      continue;
    }
    static constexpr std::string_view escapes = "\"\\/bfnrt";
    static constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const size_t escape = escapes.find(text[at++]);
    if (escape == std::string_view::npos) return std::nullopt;
    *out++ = meanings[escape];
  }
  return BytesView(begin, static_cast<size_t>(out - begin));
}

BytesView trimmed(BytesView text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

Result<void> refuse_repeated(const std::vector<JsonMember>& members, std::string_view what) {
  std::vector<BytesView> names;
  names.reserve(members.size());
  for (const JsonMember& member : members) names.push_back(member.name);
  std::ranges::sort(names);
  const auto repeated = std::ranges::adjacent_find(names);
  if (repeated != names.end()) return invalid(fmt::format("{} holds {} twice", what, printable(*repeated)));
  return {};
}

}  // namespace

Result<void> check_json_body(BytesView body) {
  if (trimmed(body).empty()) return invalid("the body is empty: it must be a JSON object");
  if (!simdjson::validate_utf8(body.data(), body.size())) return invalid("the body is not UTF-8");
  return {};
}

Result<std::vector<JsonMember>> split_json_object(BytesView json, Arena& arena, std::string_view what) {
  json = trimmed(json);
  if (json.empty() || json[0] != '{') return invalid(fmt::format("{} must be a JSON object", what));
  std::vector<JsonMember> members;
  size_t at = 1;
  skip_blanks(json, at);
  bool ended = at < json.size() && json[at] == '}';
  while (!ended) {
    const size_t name_begin = at;
    if (at == json.size() || json[at] != '"' || !skip_json_string(json, at)) return malformed(what);
    const auto name = unescape(json.substr(name_begin + 1, at - name_begin - 2), arena);
    if (!name) return malformed(what);
    skip_blanks(json, at);
    if (at == json.size() || json[at++] != ':') return malformed(what);
    skip_blanks(json, at);
    const size_t value_begin = at;
    if (!skip_value(json, at)) return malformed(what);
    members.push_back({*name, json.substr(value_begin, at - value_begin)});
    skip_blanks(json, at);
    if (at == json.size() || (json[at] != ',' && json[at] != '}')) return malformed(what);
    ended = json[at] == '}';
    if (ended) break;
    skip_blanks(json, ++at);
  }
  if (at + 1 != json.size()) return malformed(what);
  RETURN_IF_ERROR(refuse_repeated(members, what));
  return members;
}

Result<std::vector<BytesView>> split_json_array(BytesView json, std::string_view what) {
  json = trimmed(json);
  if (json.empty() || json[0] != '[') return invalid(fmt::format("{} must be an array", what));
  std::vector<BytesView> items;
  size_t at = 1;
  skip_blanks(json, at);
  bool ended = at < json.size() && json[at] == ']';
  while (!ended) {
    const size_t begin = at;
    if (!skip_value(json, at)) return malformed(what);
    items.push_back(json.substr(begin, at - begin));
    skip_blanks(json, at);
    if (at == json.size() || (json[at] != ',' && json[at] != ']')) return malformed(what);
    ended = json[at] == ']';
    if (ended) break;
    skip_blanks(json, ++at);
  }
  if (at + 1 != json.size()) return malformed(what);
  return items;
}

Result<void> take_json_pieces(BytesView json, std::span<const std::string_view> names, std::span<JsonPiece> values,
                              std::string_view what) {
  Arena arena;
  ASSIGN_OR_RETURN(const auto members, split_json_object(json, arena, what));
  for (const JsonMember& member : members) {
    const auto found = std::ranges::find(names, member.name);
    if (found == names.end()) {
      return invalid(
          fmt::format("unknown field {} in {}: it has {}", printable(member.name, 60), what, fmt::join(names, ", ")));
    }
    if (member.value != "null") values[static_cast<size_t>(found - names.begin())] = member.value;
  }
  return {};
}

Result<BytesView> json_piece_string(BytesView json, Arena& arena, std::string_view what) {
  size_t at = 0;
  if (json.empty() || json[0] != '"') return invalid(fmt::format("{} must be a string", what));
  if (!skip_json_string(json, at) || at != json.size()) return malformed(what);
  const auto text = unescape(json.substr(1, json.size() - 2), arena);
  if (!text) return malformed(what);
  return *text;
}

Result<bool> json_piece_bool(BytesView json, std::string_view what) {
  if (json == "true") return true;
  if (json == "false") return false;
  return invalid(fmt::format("{} must be true or false", what));
}

Result<int64_t> json_piece_integer(BytesView json, std::string_view what) {
  const auto value = parse_number<int64_t>(json);
  if (!value) return invalid(fmt::format("{} must be an integer of 64 bits", what));
  return *value;
}

}  // namespace strata::rest
