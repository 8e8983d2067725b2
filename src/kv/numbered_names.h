// NumberedNames: how a layer's things that have names - namespaces, tables, collections - stand in the key space.
//
// Purpose:       a thing's data lies behind a short number, its name leads to a row with that number: the keys of one
//                thing stay together and short, and a name that is given again leads to other keys.
// Ownership:     a value; every function returns bytes of its own.
// Thread safety: as the transaction's; the others are pure.
// Invariants:    keys are packed tuples: (layer, number) before a thing's data, numbers from 1; (layer, 0, "name") of
//                its row; (layer, 0, 0) of the next number, (layer, 0, n) of the layer's other rows. A number is given
//                once. What a row holds is the layer's.
#pragma once

#include <cstdint>
#include <string_view>

#include "kv/transaction.h"

namespace strata::kv {

class NumberedNames {
 public:
  // The first tuple element of the layer's keys, what its things are called, for messages, one and many, and how long
  // a name may be. The texts outlive this.
  constexpr NumberedNames(int64_t layer, std::string_view one, std::string_view many, size_t max_name_bytes)
      : layer_(layer), one_(one), many_(many), max_name_bytes_(max_name_bytes) {}

  // Of all data of the thing.
  Bytes prefix(int64_t number) const;
  Bytes next_number_key() const;
  // Of a row of the layer that is no thing's: from 1 up.
  Bytes other_key(int64_t row) const;
  Bytes name_key(std::string_view name) const;

  // invalid_argument with the reason: 1 to max_name_bytes letters, digits, '.', '_' and '-'.
  Result<void> validate(std::string_view name) const;
  // Whether a thing could have the name at all: a longer one might not fit the engine's keys.
  bool may_exist(std::string_view name) const { return !name.empty() && name.size() <= max_name_bytes_; }

  // Of the rows whose names lie behind `after`; of all when it is empty. `after` need not be a name.
  Bytes names_begin(std::string_view after) const;
  Bytes names_end() const;
  // The name in a row's key; corruption when it is none.
  Result<Bytes> parse_name_key(BytesView key) const;

  // A number nobody has had. Serializable: two that take one at the same time do not get the same.
  Result<int64_t> take_number(Transaction& transaction) const;

 private:
  Bytes registry_prefix() const;
  Bytes names_prefix() const;

  const int64_t layer_;
  const std::string_view one_;
  const std::string_view many_;
  const size_t max_name_bytes_;
};

}  // namespace strata::kv
