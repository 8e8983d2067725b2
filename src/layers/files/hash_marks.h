// HashMarks: a set of hashes by their first 8 bytes, which is filled first and asked afterwards.
//
// Purpose:       what a collection has marked, in less memory than a hash table has, and asked in the order of a scan
//                without a cache miss for each row.
// Ownership:     owns 8 to 16 bytes for each hash.
// Thread safety: one user at a time, contains() included: it remembers where it was.
// Invariants:    contains() is true of what was added; of another hash where the first 8 bytes are those of one that
//                was. Between the last add() and the first contains() there is a sort().
#pragma once

#include <vector>

#include "base/blake3.h"

namespace strata::files {

class HashMarks {
 public:
  HashMarks() : buckets_(bucket_count) {}

  void add(const Hash& hash);
  void sort();
  // Fastest in ascending order.
  bool contains(const Hash& hash);
  // Before sort() what was added twice may count twice.
  size_t size() const;
  size_t bytes() const;

 private:
  // By the first byte: each is sorted by itself, in the processor's cache.
  static constexpr size_t bucket_count = 256;
  struct Bucket {
    std::vector<uint64_t> values;
    // So many of them are in order and each once.
    size_t sorted = 0;
  };
  static void sort(Bucket& bucket);
  static void make_room(Bucket& bucket);

  std::vector<Bucket> buckets_;
  // Behind the last answer.
  size_t asked_bucket_ = 0;
  size_t asked_at_ = 0;
};

}  // namespace strata::files
