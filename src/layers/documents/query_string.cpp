#include "layers/documents/query_string.h"

#include <charconv>
#include <string>

#include "base/parse_number.h"
#include "layers/documents/document_dates.h"

namespace strata::documents {

namespace {

constexpr std::string_view reserved = "+-=&|><!(){}[]^\"~*?:\\/ ";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "33", "-5", "2.5": what a value must look like to be a number as well.
std::optional<Number> number_of(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || !is_digit(digits.front())) return std::nullopt;
  for (const char c : digits) {
    if (!is_digit(c) && c != '.') return std::nullopt;
  }
  if (const auto integer = parse_number<int64_t>(text)) return Number(*integer);
  if (const auto big = parse_number<uint64_t>(text)) return Number::of_unsigned(*big);
  if (const auto real = parse_number<double>(text)) return Number(*real);
  return std::nullopt;
}

struct Token {
  std::string text;
  // As a wildcard pattern: what was escaped stays so.
  std::string pattern;
  bool is_pattern = false;
};

class QueryParser {
 public:
  QueryParser(std::string_view query, FilterBuilder& builder) : query_(query), builder_(builder) {}

  Result<FilterNode> parse() {
    ASSIGN_OR_RETURN(FilterNode all, builder_.node(FilterType::compound));
    for (;;) {
      while (!at_end() && is_blank(peek())) ++at_;
      if (at_end()) break;
      RETURN_IF_ERROR(item(all));
    }
    if (all.must.empty() && all.should.empty() && all.must_not.empty()) all.type = FilterType::none;
    if (all.must.empty() && !all.should.empty()) all.minimum = 1;
    return all;
  }

 private:
  bool at_end() const { return at_ >= query_.size(); }
  char peek() const { return at_end() ? '\0' : query_[at_]; }
  Error wrong(std::string_view what) const {
    return Error(ErrorCode::invalid_argument, std::string(what) + " at byte " + std::to_string(at_));
  }

  Result<void> item(FilterNode& all) {
    const char prefix = peek();
    if (prefix == '+' || prefix == '-') ++at_;
    if (at_end() || is_blank(peek())) return wrong("nothing behind + or -");
    ASSIGN_OR_RETURN(FilterNode made, clause());
    RETURN_IF_ERROR(suffix(made));
    // "!!!" has no words: it asks for nothing.
    if ((made.type == FilterType::match || made.type == FilterType::phrase) && made.words.empty()) return {};
    (prefix == '+' ? all.must : prefix == '-' ? all.must_not : all.should).push_back(std::move(made));
    return {};
  }

  Result<FilterNode> clause() {
    if (peek() == '"') {
      ASSIGN_OR_RETURN(const std::string text, quoted());
      return phrase_or_error(text, std::nullopt);
    }
    if (peek() == ':') return wrong("a field's name is missing");
    ASSIGN_OR_RETURN(const Token token, word());
    if (peek() != ':') return value(token, std::nullopt);
    ++at_;
    auto field = DocumentPath::parse(token.text);
    if (!field.ok()) return wrong(field.error().message());
    std::optional<DocumentPath> path;
    if (!field->is_root()) path = *std::move(field);
    if (at_end() || is_blank(peek())) return wrong("a value is missing");
    if (peek() == '"') {
      ASSIGN_OR_RETURN(const std::string text, quoted());
      return phrase_or_error(text, path);
    }
    if (peek() == '>' || peek() == '<') return comparison(path);
    ASSIGN_OR_RETURN(const Token found, word());
    return value(found, path);
  }

  Result<FilterNode> phrase_or_error(std::string_view text, const std::optional<DocumentPath>& field) {
    return builder_.phrase(text, field, {}, {});
  }

  // Up to the closing quote; `at_` is at the opening one.
  Result<std::string> quoted() {
    std::string text;
    for (++at_; !at_end(); ++at_) {
      const char c = peek();
      if (c == '"') {
        ++at_;
        return text;
      }
      if (c == '\\' && at_ + 1 < query_.size()) {
        ++at_;
        if (reserved.find(peek()) == std::string_view::npos) text.push_back('\\');
        text.push_back(peek());
      } else {
        text.push_back(c);
      }
    }
    return wrong("a quote is not closed");
  }

  // Up to a blank, a colon, a boost or a tilde.
  Result<Token> word() {
    Token token;
    const bool is_regexp = peek() == '/';
    const size_t begin = at_;
    for (; !at_end(); ++at_) {
      const char c = peek();
      const bool inside = is_regexp && (at_ == begin || !closed(begin));
      if (is_blank(c) || (!inside && (c == ':' || c == '^' || c == '~'))) break;
      if (c == '\\' && at_ + 1 < query_.size()) {
        ++at_;
        const char escaped = peek();
        if (is_regexp || reserved.find(escaped) == std::string_view::npos) token.text.push_back('\\');
        token.text.push_back(escaped);
        token.pattern.push_back('\\');
        if (reserved.find(escaped) == std::string_view::npos) token.pattern.append("\\");
        token.pattern.push_back(escaped);
      } else {
        token.is_pattern |= c == '*' || c == '?';
        token.text.push_back(c);
        token.pattern.push_back(c);
      }
    }
    if (token.text.empty()) return wrong("a word is missing");
    return token;
  }

  // The regular expression that began at `begin` has its second slash before at_.
  bool closed(size_t begin) const { return at_ > begin + 1 && query_[at_ - 1] == '/' && query_[at_ - 2] != '\\'; }

  Result<FilterNode> value(const Token& token, const std::optional<DocumentPath>& field) {
    const std::string& text = token.text;
    if (peek() == '~') return fuzzy_value(text, field);
    if (text.size() > 1 && text.front() == '/' && text.back() == '/') {
      return with_field(builder_.regexp(std::string_view(text).substr(1, text.size() - 2)), field);
    }
    if (token.is_pattern) return with_field(builder_.wildcard(token.pattern), field);
    ASSIGN_OR_RETURN(FilterNode words, builder_.match(text, field, {}, {}, false));
    const auto number = number_of(text);
    const bool is_truth = text == "true" || text == "false";
    if (!number && !is_truth) return words;
    ASSIGN_OR_RETURN(FilterNode either, builder_.node(FilterType::compound));
    ASSIGN_OR_RETURN(FilterNode exact,
                     with_field(number ? builder_.number_equal(*number) : builder_.truth(text == "true"), field));
    either.should.push_back(std::move(words));
    either.should.push_back(std::move(exact));
    either.minimum = 1;
    return either;
  }

  Result<FilterNode> fuzzy_value(const std::string& text, const std::optional<DocumentPath>& field) {
    ++at_;
    Fuzziness fuzziness{.distance = 1};
    if (is_digit(peek())) {
      fuzziness.distance = static_cast<uint32_t>(peek() - '0');
      ++at_;
    }
    const bool ends = at_end() || is_blank(peek()) || peek() == '^';
    if (!ends || fuzziness.distance > text::max_edit_distance) return wrong("a fuzziness is 0, 1 or 2");
    return builder_.match(text, field, {}, fuzziness, false);
  }

  // field:>5, field:<="2020-01-01"
  Result<FilterNode> comparison(const std::optional<DocumentPath>& field) {
    const bool greater = peek() == '>';
    ++at_;
    const bool inclusive = peek() == '=';
    if (inclusive) ++at_;
    if (at_end() || is_blank(peek())) return wrong("a value is missing");
    const bool is_quoted = peek() == '"';
    std::string text;
    if (is_quoted) {
      ASSIGN_OR_RETURN(text, quoted());
    } else {
      while (!at_end() && !is_blank(peek()) && peek() != '^') text.push_back(query_[at_++]);
    }
    const auto bound = [&](auto& bounds, const auto& limit) {
      (greater ? bounds.min : bounds.max) = limit;
      (greater ? bounds.inclusive_min : bounds.inclusive_max) = inclusive;
    };
    if (const auto number = is_quoted ? std::nullopt : number_of(text)) {
      ASSIGN_OR_RETURN(FilterNode range, builder_.node(FilterType::number_range));
      bound(range.number_bounds, *number);
      range.field = field;
      return range;
    }
    const auto date = parse_date_us(text);
    if (!date) return wrong("neither a number nor a date: " + printable(text));
    ASSIGN_OR_RETURN(FilterNode range, builder_.node(FilterType::date_range));
    bound(range.date_bounds_us, *date);
    range.field = field;
    return range;
  }

  static Result<FilterNode> with_field(Result<FilterNode> made, const std::optional<DocumentPath>& field) {
    if (made.ok()) made->field = field;
    return made;
  }

  // ^3
  Result<void> suffix(FilterNode& made) {
    if (peek() == '^') {
      ++at_;
      const size_t begin = at_;
      while (!at_end() && !is_blank(peek())) ++at_;
      const std::string_view text = query_.substr(begin, at_ - begin);
      double boost = 1;
      const auto read = std::from_chars(text.data(), text.data() + text.size(), boost, std::chars_format::fixed);
      const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
      if (!text.empty() && (!whole || !(boost >= 0 && boost <= 1e6)))
        return wrong("a boost is a number from 0 to 1000000");
      made.boost *= boost;
      for (FilterNode& inner : made.should) inner.boost *= boost;
    }
    if (!at_end() && !is_blank(peek())) return wrong("a blank is missing");
    return {};
  }

  std::string_view query_;
  FilterBuilder& builder_;
  size_t at_ = 0;
};

}  // namespace

Result<FilterNode> parse_query_string(std::string_view query, FilterBuilder& builder) {
  if (query.size() > max_query_string_bytes) {
    return Error(ErrorCode::invalid_argument, "a query string has at most 16384 bytes");
  }
  return QueryParser(query, builder).parse();
}

}  // namespace strata::documents
