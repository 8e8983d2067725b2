// The reference: what a transaction means, written as simply as it can be.
//
// Purpose:       a third opinion. The engines that are compared share kv::Transaction; this shares nothing with it: a
//                transaction's view is a full copy of its snapshot with its own writes applied, atomic operations are
//                written again, conflicts are judged by reading everything once more.
// Ownership:     values; a ReferenceTransaction borrows its store.
// Thread safety: none.
// Invariants:    no cleverness: what is not obviously right does not belong here.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "kv/transaction.h"

namespace strata::model {

using kv::KeyRange;
using kv::KeySelector;
using kv::MutationType;

using Map = std::map<Bytes, Bytes>;

// clear_range: value is the end.
struct Write {
  MutationType type;
  Bytes key;
  Bytes value;
};

struct Page {
  std::vector<std::pair<Bytes, Bytes>> rows;
  bool more = false;
  friend bool operator==(const Page&, const Page&) = default;
};

inline constexpr size_t value_limit_bytes = 100'000;
inline const Bytes end_of_keys = "\xff";

std::optional<Bytes> apply_atomic(MutationType type, const std::optional<Bytes>& existing, const Bytes& operand);
void apply(Map& map, const Write& write, const Bytes& stamp);
// What a write touches; of a versionstamped key, all that the stamp could make of it.
KeyRange touched_by(const Write& write);
bool intersect(const KeyRange& a, const KeyRange& b);

// What a transaction sees: all of it, copied.
class View {
 public:
  View(const Map& stored, const Write* writes, size_t write_count);

  // What the transaction's own writes say of a key: nothing, its value, or that only the commit knows.
  enum class Sight { stored, known, unreadable };
  Sight sight_of(const Bytes& key) const;
  // [begin, end) cut into pieces of one sight each.
  struct Piece {
    KeyRange range;
    Sight sight;
  };
  std::vector<Piece> pieces(const Bytes& begin, const Bytes& end) const;

  Result<std::optional<Bytes>> get(const Bytes& key) const;
  // limits: 0 is none.
  Result<Page> walk(const Bytes& begin, const Bytes& end, size_t limit_rows, size_t limit_bytes, bool reverse) const;
  Result<Bytes> get_key(const KeySelector& selector) const;
  Result<Page> get_range(const KeySelector& begin, const KeySelector& end, size_t limit_rows, size_t limit_bytes,
                         bool reverse) const;

 private:
  const Write* writes_;
  size_t write_count_;
  Map map_;
};

// The selector's key with or_equal folded into it.
Bytes base_of(const KeySelector& selector);

// The committed states, of which the newest ones are kept.
class ReferenceStore {
 public:
  struct Commit {
    kv::Version version;
    std::vector<KeyRange> writes;
    // Some of its writes asked for no conflict range.
    bool hides_writes;
    std::shared_ptr<const Map> after;
  };

  ReferenceStore();
  void add(kv::Version version, std::vector<KeyRange> writes, bool hides_writes, Map after);

  size_t oldest() const { return forgotten_; }
  size_t newest() const { return forgotten_ + commits_.size() - 1; }
  const Commit& at(size_t index) const { return commits_[index - forgotten_]; }
  const Map& state() const { return *commits_.back().after; }
  // The newest commit with a version of at most `version`.
  size_t index_of(kv::Version version) const;
  // What is older than `index` is read by nobody.
  void forget_before(size_t index);

 private:
  std::deque<Commit> commits_;
  size_t forgotten_ = 0;
};

}  // namespace strata::model
