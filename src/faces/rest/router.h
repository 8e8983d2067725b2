// Router: from verb and path to a route and its raw parameters.
//
// Purpose:       a trie of path segments over the rows of all tables.
// Ownership:     borrows the rows. A match borrows from the path.
// Thread safety: constant after construction.
// Invariants:    the path is matched undecoded. A literal segment wins over {name}, {name} over {name*}; where the more
//                literal way has no row for the verb, the less literal one is tried: GET /kv/batch reads the key
//                "batch" though POST /kv/batch is an operation of its own. A segment given to {name} is not empty.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "faces/rest/route.h"

namespace strata::rest {

class Router {
 public:
  static constexpr size_t max_params = 8;
  static constexpr uint32_t no_route = UINT32_MAX;

  explicit Router(std::span<const Route* const> routes);
  ~Router();

  struct Match {
    // An index into the routes given.
    uint32_t route = no_route;
    // In the order of the template; names are the template's.
    std::array<Parameter, max_params> params;
    size_t param_count = 0;
    // Without a route: a bit for every Method that the path does serve. 0: an unknown path.
    uint32_t allowed = 0;
  };
  // HEAD finds GET's row.
  void match(Method method, std::string_view path, Match& match) const;

 private:
  struct Node;
  // The names of the path's parameters.
  std::vector<std::string_view> add(Method method, std::string_view path, uint32_t route);
  bool walk(const Node& node, Method method, std::string_view rest, Match& match) const;
  bool take(const Node& node, Method method, Match& match) const;

  std::unique_ptr<Node> root_;
  std::vector<std::vector<std::string_view>> names_;  // of each route's parameters
};

// "GET, HEAD, OPTIONS": what the bits of Match::allowed mean, HEAD with GET and OPTIONS always among them.
std::string allow_header(uint32_t allowed);

// Decodes %XX onto the end of `out`; '+' to a space when `plus_is_space`. False: a '%' without two hex digits.
bool percent_decode(std::string_view text, bool plus_is_space, Bytes& out);

}  // namespace strata::rest
