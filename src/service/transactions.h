// Transactions: changes that a client gathers over several requests and applies in one step.
//
// Purpose:       begin, append, commit and abort; what was appended waits on disk, and nobody sees it before the
//                commit.
// Ownership:     borrows the database, Objects and the clock, which outlive it.
// Thread safety: any thread. Requests of one transaction take turns in the order of their arrival.
// Invariants:    a transaction belongs to one namespace, one kind of entry and one kind of change. It ends by a commit
//                that succeeds, by abort, or by time; then, and after a restart, its id is unknown and nothing of it is
//                left. A refused append adds nothing.
// Errors:        not_found (no such namespace; "transaction not found: ID"); invalid_argument (another kind of entry);
//                conflict (an update of what does not exist; a gap in an object); payload_too_large (the commit would
//                not fit the engine); too_many_requests.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "layers/records/staged_operations.h"
#include "service/objects.h"
#include "service/turns.h"

namespace strata::service {

enum class EntryType : uint8_t { value, row, object };
enum class ChangeKind : uint8_t { put, update, remove };

struct TransactionsOptions {
  Clock* clock = &system_clock();
  kv::Durability durability = kv::Durability::sync;
  LogSignal* signal = nullptr;
  // Ends a transaction that no request used for so long, or that is so old.
  int64_t idle_us = 120'000'000;
  int64_t age_us = 900'000'000;
  size_t most_open = 10'000;
  // Keys of objects that are being staged, over all transactions: what they cost in memory, with some more for each.
  size_t most_object_memory_bytes = 64u << 20;
  int64_t sweep_interval_ms = 1'000;
};

struct BeginRequest {
  std::string_view name_space;
  EntryType type = EntryType::value;
  ChangeKind kind = ChangeKind::put;
};

struct AppendObjectRequest {
  BytesView key;
  BytesView bytes;
  // Where the bytes belong; those that are there already are not added again.
  std::optional<uint64_t> offset;
};

struct CommittedTransaction {
  // CRC-32 of all values in the order in which they were appended.
  uint32_t checksum = 0;
  // nullopt: there was nothing to change.
  std::optional<records::Stamp> version;
};

class Transactions {
 public:
  Transactions(const kv::Database& database, Objects& objects, const TransactionsOptions& options);
  ~Transactions();
  Transactions(const Transactions&) = delete;
  Transactions& operator=(const Transactions&) = delete;

  // Before requests are served: clears what an earlier run staged, then watches the time.
  Result<void> open();
  void stop();

  // The id: 32 hexadecimal digits that nobody guesses.
  Result<std::string> begin(const Context& context, const BeginRequest& request);
  // What the transaction does, for those who read the append's body: an error that append would give comes first.
  Result<ChangeKind> kind_of(const Context& context, std::string_view name_space, std::string_view id, EntryType type);
  // Of values and rows: the operation is one that the kinds of entry and change allow.
  Result<void> append(const Context& context, std::string_view name_space, std::string_view id,
                      const records::Operation& operation);
  // The object's size so far.
  Result<uint64_t> append_object(const Context& context, std::string_view name_space, std::string_view id,
                                 const AppendObjectRequest& request);
  // After an error the transaction is still open.
  Result<CommittedTransaction> commit(const Context& context, std::string_view name_space, std::string_view id);
  Result<void> abort(const Context& context, std::string_view name_space, std::string_view id);

  // Ends those whose time is over; returns how many.
  size_t sweep();
  size_t open_count() const;

 private:
  struct Entry;
  struct InUse;

  // The transaction, held for one request.
  Result<InUse> use(const Context& context, std::string_view name_space, std::string_view id,
                    std::optional<EntryType> type);
  Result<std::shared_ptr<Entry>> find(const Context& context, std::string_view name_space, std::string_view id,
                                      std::optional<EntryType> type);
  bool is_over(const Entry& entry, int64_t now_us) const;
  // Takes it off the list; its writers go, its staged operations are cleared unless the commit did that.
  void end(Entry& entry, bool clear);
  Result<ObjectWriter*> writer_of(const Context& context, std::string_view name_space, Entry& entry, BytesView key);
  Result<CommittedTransaction> commit_operations(const Context& context, std::string_view name_space, Entry& entry);
  Result<CommittedTransaction> commit_objects(const Context& context, std::string_view name_space, Entry& entry);

  const kv::Database& database_;
  Objects& objects_;
  const TransactionsOptions options_;
  mutable std::mutex mutex_;
  // Guarded by the mutex.
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
  size_t object_memory_bytes_ = 0;
  PeriodicTask task_;
};

}  // namespace strata::service
