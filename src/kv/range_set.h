// RangeSet: disjoint key ranges, kept merged.
//
// Purpose:       what a transaction has cleared, what it may not read, what it has read.
// Ownership:     views; the caller's arena outlives the set.
// Thread safety: none.
// Invariants:    ranges are non-empty, disjoint, not adjacent, ordered by begin.
#pragma once

#include <map>

#include "kv/engine.h"

namespace strata::kv {

class RangeSet {
 public:
  using Map = std::map<BytesView, BytesView, std::less<>>;  // begin -> end

  // Empty ranges are ignored.
  void add(BytesView begin, BytesView end);
  void subtract(BytesView begin, BytesView end);
  bool contains(BytesView key) const { return find(key) != ranges_.end(); }
  bool intersects(BytesView begin, BytesView end) const;
  // The range that holds `key`, else end().
  Map::const_iterator find(BytesView key) const;
  // The first range with begin >= key.
  Map::const_iterator lower_bound(BytesView key) const { return ranges_.lower_bound(key); }
  Map::const_iterator begin() const { return ranges_.begin(); }
  Map::const_iterator end() const { return ranges_.end(); }
  bool empty() const { return ranges_.empty(); }
  void clear() { ranges_.clear(); }

 private:
  Map ranges_;
};

}  // namespace strata::kv
