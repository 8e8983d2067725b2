#include "faces/rest/router.h"

#include <algorithm>

#include "base/assert.h"

namespace strata::rest {
namespace {

constexpr size_t method_count = static_cast<size_t>(Method::other) + 1;

uint32_t bit(Method method) { return 1u << static_cast<unsigned>(method); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

struct Router::Node {
  struct Literal {
    std::string_view text;
    std::unique_ptr<Node> node;
  };
  std::vector<Literal> literals;
  std::unique_ptr<Node> parameter;
  std::unique_ptr<Node> rest;  // {name*}: takes what is left, ends here
  std::array<uint32_t, method_count> routes;
  uint32_t methods = 0;

  Node() { routes.fill(no_route); }

  const Node* literal(std::string_view text) const {
    // A node has at most about twenty: a scan that compares lengths first beats a hash.
    for (const Literal& each : literals) {
      if (each.text == text) return each.node.get();
    }
    return nullptr;
  }
  Node& add_literal(std::string_view text) {
    for (Literal& each : literals) {
      if (each.text == text) return *each.node;
    }
    literals.push_back({text, std::make_unique<Node>()});
    return *literals.back().node;
  }
};

Router::Router(std::span<const Route* const> routes) : root_(std::make_unique<Node>()) {
  for (size_t i = 0; i < routes.size(); ++i) {
    const Route& route = *routes[i];
    names_.push_back(add(route.method, route.path, static_cast<uint32_t>(i)));
    if (route.also_at.empty()) continue;
    const auto names = add(route.method, route.also_at, static_cast<uint32_t>(i));
    STRATA_ASSERT(names == names_.back());
  }
}

std::vector<std::string_view> Router::add(Method method, std::string_view path, uint32_t route) {
  STRATA_ASSERT(path.starts_with('/'));
  STRATA_ASSERT(method != Method::head && method != Method::options && method != Method::other);
  std::vector<std::string_view> names;
  Node* node = root_.get();
  std::string_view rest = path.substr(1);
  for (bool last = false; !last;) {
    const size_t slash = rest.find('/');
    last = slash == std::string_view::npos;
    const std::string_view segment = rest.substr(0, slash);
    rest = last ? std::string_view() : rest.substr(slash + 1);
    if (!segment.starts_with('{')) {
      node = &node->add_literal(segment);
      continue;
    }
    STRATA_ASSERT(segment.ends_with('}'));
    const bool greedy = segment.ends_with("*}");
    STRATA_ASSERT(!greedy || last);
    names.push_back(segment.substr(1, segment.size() - (greedy ? 3 : 2)));
    std::unique_ptr<Node>& child = greedy ? node->rest : node->parameter;
    if (!child) child = std::make_unique<Node>();
    node = child.get();
  }
  STRATA_ASSERT(names.size() <= max_params);
  uint32_t& slot = node->routes[static_cast<size_t>(method)];
  STRATA_ASSERT(slot == no_route);
  slot = route;
  node->methods |= bit(method);
  return names;
}

Router::~Router() = default;

bool Router::take(const Node& node, Method method, Match& match) const {
  const Method wanted = method == Method::head ? Method::get : method;
  const uint32_t route = node.routes[static_cast<size_t>(wanted)];
  if (route == no_route) {
    match.allowed |= node.methods;
    return false;
  }
  match.route = route;
  const auto& names = names_[route];
  for (size_t i = 0; i < names.size(); ++i) match.params[i].name = names[i];
  return true;
}

// `rest` begins behind the slash. As deep as the deepest template, not as the path.
bool Router::walk(const Node& node, Method method, std::string_view rest, Match& match) const {
  const size_t slash = rest.find('/');
  const bool last = slash == std::string_view::npos;
  const std::string_view segment = rest.substr(0, slash);
  auto descend = [&](const Node& child) {
    return last ? take(child, method, match) : walk(child, method, rest.substr(slash + 1), match);
  };
  if (const Node* literal = node.literal(segment); literal && descend(*literal)) return true;
  const size_t count = match.param_count;
  if (node.parameter && !segment.empty() && count < max_params) {
    match.params[count].value = segment;
    match.param_count = count + 1;
    if (descend(*node.parameter)) return true;
    match.param_count = count;
  }
  if (node.rest && !rest.empty() && count < max_params) {
    match.params[count].value = rest;
    match.param_count = count + 1;
    if (take(*node.rest, method, match)) return true;
    match.param_count = count;
  }
  return false;
}

void Router::match(Method method, std::string_view path, Match& match) const {
  match.route = no_route;
  match.param_count = 0;
  match.allowed = 0;
  if (path.starts_with('/')) walk(*root_, method, path.substr(1), match);
}

std::string allow_header(uint32_t allowed) {
  if (allowed & bit(Method::get)) allowed |= bit(Method::head);
  allowed |= bit(Method::options);
  std::string out;
  for (size_t i = 0; i < static_cast<size_t>(Method::other); ++i) {
    if (!(allowed & (1u << i))) continue;
    if (!out.empty()) out += ", ";
    out += method_name(static_cast<Method>(i));
  }
  return out;
}

bool percent_decode(std::string_view text, bool plus_is_space, Bytes& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3) return false;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(c == '+' && plus_is_space ? ' ' : c);
    }
  }
  return true;
}

}  // namespace strata::rest
