#include "layers/documents/projection.h"

#include <simdjson.h>

#include <algorithm>
#include <string>

#include "base/json_text.h"
#include "layers/documents/document_path.h"

namespace strata::documents {

struct Projection::Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> members;
  std::unique_ptr<Node> any;
  bool include = false;
  bool exclude = false;
  // Something below it, or itself, includes or excludes.
  bool leads_to_include = false;
  bool leads_to_exclude = false;

  const Node* member(std::string_view name) const {
    for (const auto& [key, node] : members) {
      if (key == name) return node.get();
    }
    return nullptr;
  }
};

namespace {

using Node = Projection::Node;

// How deep stored documents are, and one more for safety: text that is deeper is corrupt.
constexpr int max_depth = 130;

// Walks minified text and copies what stays. The nodes that a place of the document matches lie on one stack, those of
// a level between two marks.
class Walk {
 public:
  Walk(BytesView text, Bytes& out) : text_(text), out_(out) {}

  Result<void> run(const Node* root, bool included, std::string_view without) {
    active_.reserve(16);
    if (root != nullptr) active_.push_back(root);
    if (text_.empty() || text_[0] != '{') return broken();
    const Level level{0, active_.size(), included, 0};
    if (!object(level, &without) || at_ != text_.size()) return broken();
    return {};
  }

 private:
  // The active nodes [begin, end), and whether the place is within what is included.
  struct Level {
    size_t begin;
    size_t end;
    bool included;
    int depth;
  };

  static Error broken() { return Error(ErrorCode::corruption, "a stored document is not valid JSON"); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool skip_value() {
    int depth = 0;
    do {
      const char c = peek();
      if (c == '"') {
        if (!skip_json_string(text_, at_)) return false;
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        --depth;
        ++at_;
      } else if (c == '\0') {
        return false;
      } else if (c == ',' || c == ':') {
        if (depth == 0) return false;
        ++at_;
      } else {
        at_ = std::min(text_.find_first_of(",]}", at_), text_.size());
      }
    } while (depth > 0);
    return depth == 0;
  }

  // The member's name without its escapes; views text_ or unescaped_.
  std::string_view name_of(size_t begin, size_t end) {
    const std::string_view raw = text_.substr(begin + 1, end - begin - 2);
    if (raw.find('\\') == std::string_view::npos) return raw;
    const simdjson::padded_string quoted(text_.substr(begin, end - begin));
    simdjson::dom::parser parser;
    std::string_view name;
    if (parser.parse(quoted).get(name) != simdjson::SUCCESS) return raw;
    unescaped_ = name;
    return unescaped_;
  }

  void activate(size_t level_begin, const Node* node) {
    if (node == nullptr) return;
    for (size_t i = level_begin; i < active_.size(); ++i) {
      if (active_[i] == node) return;
    }
    active_.push_back(node);
  }

  // `without`: of the top level; members are written ,"name":value there, the caller's braces around.
  bool object(const Level& level, const std::string_view* without) {
    if (level.depth > max_depth) return false;
    ++at_;
    const bool top = without != nullptr;
    bool first = !top;
    if (peek() == '}') return ++at_, true;
    for (;;) {
      const size_t name_begin = at_;
      if (peek() != '"' || !skip_json_string(text_, at_) || peek() != ':') return false;
      const size_t name_end = at_++;
      const std::string_view name = name_of(name_begin, name_end);
      const size_t mark = active_.size();
      for (size_t i = level.begin; i < level.end; ++i) {
        activate(mark, active_[i]->member(name));
        activate(mark, active_[i]->any.get());
      }
      if (top && name == *without && !without->empty()) {
        if (!skip_value()) return false;
      } else {
        const size_t size = out_.size();
        if (!first) out_.push_back(',');
        out_.append(text_.substr(name_begin, name_end - name_begin)).push_back(':');
        bool kept = false;
        if (!value({mark, active_.size(), level.included, level.depth + 1}, kept)) return false;
        if (kept) {
          first = false;
        } else {
          out_.resize(size);
        }
      }
      active_.resize(mark);
      if (peek() == '}') return ++at_, true;
      if (peek() != ',') return false;
      ++at_;
    }
  }

  bool array(const Level& level) {
    if (level.depth > max_depth) return false;
    ++at_;
    if (peek() == ']') return ++at_, true;
    bool first = true;
    for (;;) {
      const size_t mark = active_.size();
      for (size_t i = level.begin; i < level.end; ++i) {
        // Descending an array keeps the place; an asterisk may also stand for the element.
        const Node* node = active_[i];
        activate(mark, node);
        activate(mark, node->any.get());
      }
      const size_t size = out_.size();
      if (!first) out_.push_back(',');
      bool kept = false;
      if (!value({mark, active_.size(), level.included, level.depth + 1}, kept)) return false;
      if (kept) {
        first = false;
      } else {
        out_.resize(size);
      }
      active_.resize(mark);
      if (peek() == ']') return ++at_, true;
      if (peek() != ',') return false;
      ++at_;
    }
  }

  // `kept`: something was written. False: the text is broken.
  bool value(Level level, bool& kept) {
    bool leads_to_include = false;
    bool leads_to_exclude = false;
    for (size_t i = level.begin; i < level.end; ++i) {
      const Node* node = active_[i];
      if (node->exclude) return skip_value();
      level.included |= node->include;
      leads_to_include |= node->leads_to_include;
      leads_to_exclude |= node->leads_to_exclude;
    }
    const size_t begin = at_;
    const char c = peek();
    const bool scalar = c != '{' && c != '[';
    if (level.included && (!leads_to_exclude || scalar)) {
      if (!skip_value()) return false;
      out_.append(text_.substr(begin, at_ - begin));
      kept = true;
      return true;
    }
    if (scalar || (!level.included && !leads_to_include)) return skip_value();
    const size_t size = out_.size();
    out_.push_back(c);
    if (!(c == '{' ? object(level, nullptr) : array(level))) return false;
    kept = level.included || out_.size() > size + 1;
    out_.push_back(c == '{' ? '}' : ']');
    return true;
  }

  BytesView text_;
  Bytes& out_;
  size_t at_ = 0;
  std::vector<const Node*> active_;
  std::string unescaped_;
};

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

}  // namespace

Projection::Projection() = default;
Projection::Projection(Projection&&) noexcept = default;
Projection& Projection::operator=(Projection&&) noexcept = default;
Projection::~Projection() = default;

Result<void> Projection::add(std::string_view field) {
  const bool exclude = field.starts_with('-');
  auto segments = split_path(exclude ? field.substr(1) : field);
  if (!segments.ok()) {
    return Error(ErrorCode::invalid_argument, "fields: " + std::string(segments.error().message()));
  }
  segments_ += segments->size();
  if (segments_ > max_projection_segments) {
    return Error(ErrorCode::invalid_argument, "fields: more than 1024 names in all");
  }
  if (!root_) root_ = std::make_unique<Node>();
  if (!exclude) only_exclusions_ = false;
  Node* node = root_.get();
  const auto lead = [exclude](Node& to) { (exclude ? to.leads_to_exclude : to.leads_to_include) = true; };
  lead(*node);
  for (PathSegment& segment : *segments) {
    std::unique_ptr<Node>* next = &node->any;
    if (!segment.wildcard) {
      const auto found =
          std::ranges::find(node->members, segment.name, [](const auto& member) { return member.first; });
      if (found != node->members.end()) {
        next = &found->second;
      } else {
        next = &node->members.emplace_back(std::move(segment.name), nullptr).second;
      }
    }
    if (!*next) *next = std::make_unique<Node>();
    node = next->get();
    lead(*node);
  }
  (exclude ? node->exclude : node->include) = true;
  return {};
}

Result<Projection> Projection::parse(std::span<const std::string_view> fields) {
  if (fields.size() > max_projection_fields) {
    return Error(ErrorCode::invalid_argument, "fields: more than 256 fields");
  }
  Projection projection;
  for (const std::string_view field : fields) RETURN_IF_ERROR(projection.add(field));
  return projection;
}

Result<Projection> Projection::parse_list(std::string_view fields) {
  Projection projection;
  if (trimmed(fields).empty()) return projection;
  size_t count = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= fields.size(); ++i) {
    if (i < fields.size() && (fields[i] != ',' || (i > begin && fields[i - 1] == '\\'))) continue;
    if (++count > max_projection_fields) return Error(ErrorCode::invalid_argument, "fields: more than 256 fields");
    RETURN_IF_ERROR(projection.add(trimmed(fields.substr(begin, i - begin))));
    begin = i + 1;
  }
  return projection;
}

Result<void> Projection::append_members(BytesView document, std::string_view without, Bytes& out) const {
  // "$" asks for the document, "-$" for nothing of it.
  if (root_ && root_->exclude) return {};
  return Walk(document, out).run(root_.get(), only_exclusions_ || root_->include, without);
}

Result<void> Projection::append(BytesView document, Bytes& out) const {
  if (is_whole()) {
    out.append(document);
    return {};
  }
  const size_t begin = out.size();
  RETURN_IF_ERROR(append_members(document, {}, out));
  if (out.size() == begin) {
    out.append("{}");
  } else {
    out[begin] = '{';
    out.push_back('}');
  }
  return {};
}

}  // namespace strata::documents
