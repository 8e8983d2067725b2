// Workload: the keys, values and selectors of a random history.
//
// Purpose:       inputs that meet each other and the edges: few keys, many of them neighbours (a, a\0, a\xff), empty
//                ones, the longest ones, and now and then what must be refused.
// Ownership:     borrows the random numbers.
// Thread safety: none.
// Invariants:    the same seed gives the same inputs on every machine.
#pragma once

#include "base/random.h"
#include "model/reference.h"

namespace strata::model {

class Workload {
 public:
  explicit Workload(Random& random) : random_(random) {}

  // Mostly short and of few letters; some from `existing`.
  Bytes key(const Map& existing);
  // May be "\xff" too.
  Bytes bound(const Map& existing);
  // begin <= end, mostly close together.
  KeyRange range(const Map& existing);
  Bytes value();
  KeySelector selector(const Map& existing);
  kv::RangeOptions range_options();

  // Legal ones of every type; clears of ranges are mostly small.
  Write write(const Map& existing);
  // One that a transaction must refuse.
  Write refused_write(const Map& existing);

 private:
  Bytes letters(size_t least, size_t most, bool may_start_at_the_end);
  Write stamped_key();
  Write mapped_row();
  Write stamped_value(const Map& existing);

  Random& random_;
};

std::string describe(const Write& write);
std::string describe(const KeySelector& selector);
std::string describe(const kv::RangeOptions& options);

}  // namespace strata::model
