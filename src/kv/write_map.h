// WriteMap: what a transaction's reads see of its own writes.
//
// Purpose:       read-your-writes: for each key the transaction touched, what is known of its value before commit.
// Ownership:     views into the transaction's arena, which it also fills with folded values.
// Thread safety: none.
// Invariants:    an entry beats an unreadable range, that beats a cleared range, that beats what is stored. An entry
//                whose base is known holds no pending operations: they are folded as they come.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/arena.h"
#include "kv/engine.h"
#include "kv/range_set.h"

namespace strata::kv {

class WriteMap {
 public:
  struct Operation {
    MutationType type;
    BytesView operand;
  };
  struct Entry {
    // The value is `known` (nullopt: absent), whatever is stored. False: `pending` over what is stored.
    bool is_known = false;
    // Holds a versionstamp that only the commit fills in.
    bool is_unreadable = false;
    std::optional<BytesView> known;
    std::vector<Operation> pending;
  };
  using Entries = std::map<BytesView, Entry, std::less<>>;

  // What a read of one key finds here. stored: nothing of ours, read through.
  enum class Sight { stored, known, pending, unreadable };
  struct Look {
    Sight sight;
    const Entry* entry;  // for known (nullptr: cleared) and pending
  };

  // Views must live as long as the map; `arena` takes folded values.
  void set(BytesView key, BytesView value);
  void clear(Arena& arena, BytesView key);
  void clear_range(BytesView begin, BytesView end);
  void atomic(Arena& arena, MutationType type, BytesView key, BytesView operand, size_t value_limit_bytes);
  void set_unreadable(BytesView key);
  void add_unreadable_range(BytesView begin, BytesView end);

  Look look(BytesView key) const;
  const Entries& entries() const { return entries_; }
  const RangeSet& cleared() const { return cleared_; }
  const RangeSet& unreadable() const { return unreadable_; }
  bool empty() const { return entries_.empty() && cleared_.empty() && unreadable_.empty(); }

  // The value that `entry` makes of the stored one; not for unreadable entries.
  static std::optional<Bytes> resolve(const Entry& entry, std::optional<BytesView> stored, size_t value_limit_bytes);

  // The parts of [begin, end) whose outcome depends on what is stored: without keys set or cleared by the transaction.
  // Calls visit(begin, end) in order.
  template <class Visit>
  void visit_dependent(BytesView begin, BytesView end, Arena& arena, Visit visit) const;

 private:
  Entries entries_;
  RangeSet cleared_;
  RangeSet unreadable_;
};

template <class Visit>
void WriteMap::visit_dependent(BytesView begin, BytesView end, Arena& arena, Visit visit) const {
  if (begin >= end) return;
  RangeSet dependent;
  dependent.add(begin, end);
  auto range = cleared_.find(begin);
  if (range == cleared_.end()) range = cleared_.lower_bound(begin);
  for (; range != cleared_.end() && range->first < end; ++range) dependent.subtract(range->first, range->second);
  for (auto entry = entries_.lower_bound(begin); entry != entries_.end() && entry->first < end; ++entry) {
    if (entry->second.is_known) dependent.subtract(entry->first, arena.copy_key_after(entry->first));
  }
  for (const auto& [from, to] : dependent) visit(from, to);
}

}  // namespace strata::kv
