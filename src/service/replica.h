// Replica: a store that is a copy of another one, and the end of that.
//
// Purpose:       decides whether the store takes writes, keeps a follower for each namespace of the leader, tells how
//                far they are, and promotes.
// Ownership:     borrows the database and the services, which outlive it; owns its thread, the client and the
//                followers.
// Thread safety: any thread; open, start and stop by the program.
// Invariants:    docs/replica.md. While is_read_only() nothing but the followers changes data. A store that was
//                promoted never follows again, and one that follows is never started without its leader: both would let
//                two histories meet.
// Errors:        precondition_failed: the store may not be started so, with words that say what to do.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/coroutine_thread.h"
#include "service/context.h"
#include "service/leader_client.h"
#include "service/leader_records.h"
#include "service/replica_follower.h"

namespace strata::service {

struct ReplicaOptions {
  Clock* clock = &system_clock();
  kv::Durability durability = kv::Durability::sync;
  // An empty URL: follows nobody.
  LeaderClientOptions leader;
  // Of the log's segments after a full copy.
  uint64_t segment_bytes = 16u << 20;
  ReplicaLimits limits;
  size_t max_namespaces = 10'000;
};

struct ReplicaStatus {
  bool is_replica = false;
  bool was_promoted = false;
  std::string leader;
  // The leader answered lately.
  bool connected = false;
  std::string error;
  std::vector<ReplicaNamespaceStatus> namespaces;
  bool more = false;
};

class Replica {
 public:
  Replica(const kv::Database& database, LogSignal& signal, Objects& objects, const ReplicaOptions& options);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // Before anything writes to the store: what it is, and whether it may be started as the options say.
  Result<void> open();
  // Begins to follow, where it is to.
  Result<void> start();
  // Ends it; waits.
  void stop();

  bool is_read_only() const { return read_only_.load(std::memory_order_acquire); }
  const std::string& leader_url() const { return options_.leader.url; }
  // Of a namespace as it is now, asked for before it is read; nullopt: not a replica's, or not copied yet.
  std::optional<ReplicaProgress::Position> position(std::string_view name_space) const;
  // Namespaces by name behind `after`.
  ReplicaStatus status(std::string_view after, size_t limit) const;

  // Stops following and takes writes; when it returns, everything that was applied is durable. Again: nothing happens.
  // invalid_argument: the store is no replica.
  Result<void> promote(const Context& context);

 private:
  Result<void> begin_as_replica();
  Result<void> load_progress();
  Result<void> write_role(records::StoreRole role);
  // The coroutine that keeps the list.
  void lead();
  Result<void> poll();
  Result<std::vector<LeaderNamespace>> list_leader();
  void follow(const LeaderNamespace& name_space);
  Result<void> end_others(const std::vector<LeaderNamespace>& listed);
  void note_poll(const Result<void>& polled);
  void end_followers();
  void forget(const std::string& name);
  int64_t silent_us() const;

  const kv::Database& database_;
  LogSignal& signal_;
  Objects& objects_;
  const ReplicaOptions options_;
  std::atomic<bool> read_only_{false};
  std::atomic<bool> was_promoted_{false};
  std::atomic<bool> promoting_{false};

  mutable std::shared_mutex mutex_;
  std::map<std::string, std::shared_ptr<ReplicaProgress>, std::less<>> progress_;
  std::string error_;  // of the last poll
  bool connected_ = false;
  int64_t heard_us_ = 0;  // steady; when the leader answered last

  // Of the replica's thread.
  std::unique_ptr<LeaderClient> client_;
  std::unique_ptr<ReplicaShared> shared_;
  std::map<std::string, std::unique_ptr<ReplicaFollower>, std::less<>> followers_;
  PauseGate gate_;
  Promise<void> ended_;
  std::unique_ptr<CoroutineThread> thread_;  // last: its coroutines use the members above
};

}  // namespace strata::service
