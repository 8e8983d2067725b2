// VectorWriter: the writes of one collection, one transaction at a time.
//
// Purpose:       writers that come at the same time share a transaction, a record of the log and a sync: whoever finds
//                nobody writing leads and takes along all who wait. So ids and LSNs are dense and nobody conflicts.
// Ownership:     borrows the database, the view and the clock.
// Thread safety: any thread; who waits suspends (base/wait.h).
// Invariants:    an operation that is wrong fails alone; those of one call that succeed are in one transaction. The
//                view has been told before anybody is answered, in the order of the LSNs.
// Errors:        of submit: not_found (the collection was dropped), too_many_requests, what the engine says; then
//                nothing of the call was written, but with commit_unknown_result, where nobody knows. Of an operation:
//                in its `error`.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "kv/database.h"
#include "layers/vectors/vector_log.h"
#include "service/batch_line.h"
#include "service/vector_view.h"

namespace strata::service {

struct VectorOperation {
  enum class Kind : uint8_t { insert, update, remove, threshold, undefer };
  Kind kind = Kind::insert;
  uint64_t id = 0;  // insert: 0 for the next one
  std::optional<std::span<const float>> values = std::nullopt;
  // Checked; absent: an update leaves it, an insert has none.
  const Metadata* metadata = nullptr;
  vectors::Deferral deferral = {};
  uint32_t ef_construction = 0;
  float threshold = 0;
  // The answer.
  std::optional<Error> error = std::nullopt;
  uint64_t assigned_id = 0;  // of an insert
};

class VectorBatch;

struct VectorWriterCounters {
  std::atomic<uint64_t> commits{0};
  std::atomic<uint64_t> operations{0};
  std::atomic<uint64_t> blocked_us{0};
};

class VectorWriter {
 public:
  static constexpr size_t max_waiting = 4'096;

  // wake: called after the view was told of something.
  VectorWriter(const kv::Database& database, Clock& clock, const vectors::Collection& collection, VectorView& view,
               std::function<void()> wake);

  // At most max_log_entries operations and max_bytes() of values and metadata. The LSN of the last that was written; 0:
  // none was.
  Result<uint64_t> submit(std::span<VectorOperation> operations, kv::Durability durability);
  size_t max_bytes() const;
  const VectorWriterCounters& counters() const { return counters_; }

  // The view reads anew what its keys hold: of these ids, or of what the log has behind the view's LSN.
  Result<void> reconcile(std::span<const uint64_t> ids, uint64_t lsn);
  Result<void> catch_up();

 private:
  struct Request {
    std::span<VectorOperation> operations;
    kv::Durability durability = kv::Durability::sync;
    size_t bytes = 0;
    uint64_t last_lsn = 0;
    Promise<bool> woken;
    std::optional<Error> error;
  };

  size_t count_batch(const std::deque<Request*>& waiting) const;
  void execute(std::span<Request* const> batch);
  Result<void> tell_view(const VectorBatch& batch);

  const kv::Database& database_;
  Clock& clock_;
  const vectors::Collection collection_;
  VectorView& view_;
  const std::function<void()> wake_;
  VectorWriterCounters counters_;
  BatchLine<Request> line_;
  Random random_;  // of the leader
};

}  // namespace strata::service
