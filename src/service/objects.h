// Objects: the use cases of large objects.
//
// Purpose:       put, read, delete and clear objects of any size; where a transaction of theirs begins and ends.
// Ownership:     borrows the database, the clock and the signal, which outlive it; writers and readers may outlive it.
// Thread safety: any thread; a writer or reader belongs to one at a time.
// Invariants:    a put is answered after its commit, which replaces the object as a whole; readers of the old one read
//                it to its end. Bytes of an object that was never committed, or that neither a head nor a kept log
//                record names, are cleared: by the next pass or at the next start.
// Errors:        not_found ("namespace not found: X") from every method that takes a namespace; payload_too_large;
//                precondition_failed; conflict (a key that must exist does not); what the engine says.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "kv/database.h"
#include "service/context.h"
#include "service/object_reader.h"
#include "service/object_writer.h"
#include "service/periodic_task.h"

namespace strata::service {

class LogSignal;

struct ObjectsOptions {
  Clock* clock = &system_clock();
  kv::Durability durability = kv::Durability::sync;
  // Told of every namespace that was written to; may be absent.
  LogSignal* signal = nullptr;
  uint64_t max_object_bytes = uint64_t{1} << 40;
  // Of the background pass.
  int64_t pass_interval_ms = 10'000;
};

// What must hold of the key for a change to happen. Versions as format_version writes them.
struct ObjectCondition {
  // precondition_failed unless an object of this version is there ("*": any).
  std::optional<std::string_view> version = std::nullopt;
  // precondition_failed when an object of this version is there ("*": any).
  std::optional<std::string_view> not_version = std::nullopt;
  // conflict unless there is an object.
  bool must_exist = false;
};

struct ObjectChange {
  BytesView key;
  // The object that is put; none: the key's object is deleted.
  ObjectWriter* writer = nullptr;
  ObjectCondition condition = {};
};

struct CommitObjectsRequest {
  std::string_view name_space;
  // At least one, each key once.
  std::span<const ObjectChange> changes;
};

class Objects {
 public:
  Objects(const kv::Database& database, const ObjectsOptions& options);
  ~Objects();
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;

  // Before requests are served: clears what an earlier run staged, then begins the background pass.
  Result<void> open();
  void stop();

  // For bytes that will be an object of the namespace.
  Result<std::unique_ptr<ObjectWriter>> create(const Context& context, std::string_view name_space);
  // The same for a namespace that has no name (yet). What is staged there is cleared with the namespace or by a pass.
  std::unique_ptr<ObjectWriter> create_in(const records::Namespace& space, SpaceGuard guard);

  // Whether the condition holds now: what a commit would say, before any bytes are sent for it.
  Result<void> check(const Context& context, std::string_view name_space, BytesView key,
                     const ObjectCondition& condition);
  uint64_t max_object_bytes() const { return options_.max_object_bytes; }

  // All changes in one transaction, as one record of the log; the version of what was written. Writers are kept.
  Result<records::Stamp> commit(const Context& context, const CommitObjectsRequest& request);

  // nullopt: no object has the key.
  Result<std::optional<ObjectReader>> read(const Context& context, std::string_view name_space, BytesView key);
  // Also one that is replaced, while its bytes are there; without its version then.
  Result<std::optional<ObjectReader>> read_by_id(const Context& context, std::string_view name_space,
                                                 const records::ObjectId& id);

  // One background pass: clears abandoned objects, and replaced ones that no log record names any more. Returns how
  // many were cleared.
  Result<size_t> run_pass();

  const kv::Database& database() const { return database_; }
  const records::ObjectId& run() const { return run_; }

 private:
  Result<void> clear_leftovers(const records::Namespace& space);
  Result<size_t> clear_abandoned();
  Result<size_t> clear_replaced(const records::Namespace& space);
  template <class Visit>
  Result<void> visit_namespaces(Visit visit);

  const kv::Database& database_;
  const ObjectsOptions options_;
  const records::ObjectId run_;
  const std::shared_ptr<ObjectPins> pins_;
  std::mutex pass_mutex_;  // one pass at a time
  PeriodicTask task_;
  const std::shared_ptr<AbandonedObjects> abandoned_;
};

}  // namespace strata::service
