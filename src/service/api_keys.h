// ApiKeys: the static keys of a server, and whether a caller has one of them.
//
// Purpose:       the one place that knows how a key is presented, for every face.
// Ownership:     owns the keys; the names it gives out live as long as it does.
// Thread safety: immutable after construction.
// Invariants:    the time a check takes tells nothing of a key but its length.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strata::service {

class ApiKeys {
 public:
  // Each is ID:SECRET, or a SECRET that goes with every id.
  explicit ApiKeys(std::vector<std::string> keys) : keys_(std::move(keys)) {}

  // No keys: every caller may do everything.
  bool empty() const { return keys_.empty(); }

  // Of the headers (or metadata) X-API-Key, which counts where there is one, and Authorization: Bearer KEY, and Bearer,
  // ApiKey and Basic with base64 of ID:SECRET. The name of the key: its id, "api-key" where it has none;
  // unauthenticated where no key fits.
  Result<std::string_view> check(std::string_view api_key, std::string_view authorization) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace strata::service
