// WriteIntervals: a map from every key to the version of its last write, for one generation of ConflictHistory.
//
// Purpose:       a B+tree of boundaries. An entry says at which version its key was last written, and at which
//                version the open interval up to the next entry was: a point write is one entry, not two.
// Ownership:     copies keys; memory is given back with the tree.
// Thread safety: none.
// Invariants:    versions never decrease, so a write that covers a whole child raises one number (`floor`) above it:
//                nothing is ever removed, and every operation is O(log n), large clears included. At 500,000
//                random keys an add takes 0.5 us and a check 0.8 us; a std::map of boundaries 2.1 and 2.0, and it must
//                erase what a clear covers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/arena.h"
#include "kv/engine.h"

namespace strata::kv {

class WriteIntervals {
 public:
  // Versions are kept as 32-bit distances from `start`; full() tells when they run out.
  explicit WriteIntervals(Version start);
  ~WriteIntervals();

  Version start() const { return start_; }
  Version newest() const { return newest_; }
  bool full(Version next) const { return next - start_ > INT32_MAX; }
  size_t bytes() const { return keys_.bytes() + node_bytes_; }

  bool written_after(const KeyRangeView& range, Version version) const;
  void add(const KeyRangeView& range, Version version);

 private:
  static constexpr int fan_out = 64;
  // Distance from start_; 0: not written in this generation.
  using Age = uint32_t;

  struct Keys;
  struct Leaf;
  struct Inner;
  struct Split {
    void* right = nullptr;
    BytesView key;
  };
  // What a leaf does with the key it is given.
  enum class Place { point, boundary };

  Leaf* new_leaf();
  Inner* new_inner();
  Split insert(void* node, int level, BytesView key, Age age, Place place, BytesView high, bool has_high);
  Split insert_in_leaf(Leaf& leaf, BytesView key, Age age, Place place, BytesView high, bool has_high);
  void insert_key(BytesView key, Age age, Place place);
  void cover(void* node, int level, const KeyRangeView& range, Age age);
  bool newer(const void* node, int level, const KeyRangeView& range, Age age) const;
  bool newer_in_leaf(const Leaf& leaf, const KeyRangeView& range, Age age) const;
  Age max_of(const void* node, int level) const;

  const Version start_;
  Version newest_;
  Arena keys_;
  std::vector<std::unique_ptr<Leaf>> leaves_;
  std::vector<std::unique_ptr<Inner>> inners_;
  size_t node_bytes_ = 0;
  void* root_;
  int height_ = 0;  // 0: the root is a leaf
};

}  // namespace strata::kv
