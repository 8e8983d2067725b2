// VectorBatch: what a transaction does for the operations of several writers. Internal to the service.
//
// Purpose:       reads what the operations depend on, decides each of them, writes keys, counters and one record of the
//                log, and remembers what the view is to be told.
// Ownership:     borrows the operations; owns what it read.
// Thread safety: one thread.
// Invariants:    run() may be called again, as kv::Database::run does; the last call counts. Reads are issued before
//                the first is awaited.
#pragma once

#include <deque>
#include <functional>
#include <unordered_map>

#include "service/vector_writer.h"

namespace strata::service {

// What changes point to that no operation holds.
struct OwnedVectors {
  std::deque<std::vector<float>> values;
  std::deque<Metadata> metadata;
};

class VectorBatch {
 public:
  VectorBatch(const vectors::Collection& collection, std::vector<VectorOperation*> operations)
      : collection_(collection), operations_(std::move(operations)) {}

  // nonce: drawn for this attempt.
  Result<void> run(kv::Transaction& transaction, uint64_t nonce);

  std::span<const VectorChange> changes() const { return changes_; }
  uint64_t first_lsn() const { return first_lsn_; }
  uint64_t last_lsn() const { return first_lsn_ + entries_.size() - 1; }
  bool logged() const { return !entries_.empty(); }
  // Of the operation at this place; 0: it wrote nothing.
  uint64_t lsn_of(size_t place) const { return lsns_[place]; }

 private:
  using Stored = std::optional<Bytes>;
  struct Reads {
    Future<Stored> values;
    Future<Stored> metadata;
  };

  Reads issue(const kv::Transaction& transaction, const VectorOperation& operation) const;
  Result<bool> came_through(const kv::Transaction& transaction) const;
  Result<void> decide(kv::Transaction& transaction, size_t place, Reads& reads);
  Result<void> insert(kv::Transaction& transaction, VectorOperation& operation);
  Result<void> update(kv::Transaction& transaction, VectorOperation& operation, Reads& reads);
  void remove(kv::Transaction& transaction, const VectorOperation& operation);
  Result<void> undefer(kv::Transaction& transaction, const VectorOperation& operation, const Stored& stored,
                       Reads& reads);
  void log(vectors::LogOperation operation, uint64_t id);

  const vectors::Collection& collection_;
  const std::vector<VectorOperation*> operations_;
  vectors::Counters counters_;
  uint64_t first_lsn_ = 0;
  uint64_t nonce_ = 0;
  std::vector<vectors::LogEntry> entries_;
  std::vector<uint64_t> lsns_;
  std::vector<VectorChange> changes_;
  // Ids that an earlier operation of the batch has written (true) or removed.
  std::unordered_map<uint64_t, bool> touched_;
  OwnedVectors owned_;
};

}  // namespace strata::service
