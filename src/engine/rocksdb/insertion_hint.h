// InsertionHint: where the memtable begins to look for the place of a key.
//
// Purpose:       a batch comes in the order of its keys. With a hint RocksDB searches the next one from where the last
//                one went, a few dozen entries on, instead of from the top of 150,000: 1 us less for a document with
//                two indexes.
// Ownership:     RocksDB's options and the Store share it.
// Thread safety: use and the writes of the database: one thread, the committer's.
// Invariants:    one hint for all keys of a memtable, used only for batches without range deletions. RocksDB keeps
//                those in a list of their own and, up to 10.x, would take the hint of one list for the other, which
//                breaks both: so the hint is off when the store is opened, as its log is replayed without us.
#pragma once

#include <rocksdb/slice_transform.h>

namespace strata::kv {

class InsertionHint final : public rocksdb::SliceTransform {
 public:
  void use(bool used) { used_ = used; }

  const char* Name() const override { return "strata.InsertionHint"; }
  rocksdb::Slice Transform(const rocksdb::Slice&) const override { return {}; }
  bool InDomain(const rocksdb::Slice&) const override { return used_; }

 private:
  bool used_ = false;
};

}  // namespace strata::kv
