// Subspace: all keys behind one prefix, addressed by tuples.
//
// Purpose:       layers hand each other a part of the key space without spelling prefixes.
// Ownership:     owns its prefix.
// Thread safety: immutable.
// Invariants:    pack(t) starts with prefix(); unpack(pack(t)) == t.
#pragma once

#include "tuple/tuple.h"

namespace strata::tuple {

class Subspace {
 public:
  // The whole key space.
  Subspace() = default;
  explicit Subspace(const Tuple& tuple, BytesView raw_prefix = {}) : prefix_(tuple.pack(raw_prefix)) {}
  static Subspace from_raw_prefix(BytesView prefix);

  const Bytes& prefix() const { return prefix_; }
  Subspace subspace(const Tuple& tuple) const { return Subspace(tuple, prefix_); }

  Bytes pack(const Tuple& tuple) const { return tuple.pack(prefix_); }
  Result<Bytes> pack_with_versionstamp(const Tuple& tuple) const { return tuple.pack_with_versionstamp(prefix_); }
  // invalid_argument for a key outside, or one that is no tuple behind the prefix.
  Result<Tuple> unpack(BytesView key) const;
  bool contains(BytesView key) const { return key.starts_with(prefix_); }
  // Of the tuples behind `tuple`: what a scan of them reads.
  Range range(const Tuple& tuple = {}) const { return tuple.range(prefix_); }

 private:
  Bytes prefix_;
};

}  // namespace strata::tuple
