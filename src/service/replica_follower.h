// ReplicaFollower: keeps one namespace a copy of the leader's.
//
// Purpose:       a full copy where there is none, or none that the leader's log can bring up to date; then the log,
//                batch by batch, until it is told to end. What fails is tried again, more and more slowly.
// Ownership:     borrows what all followers share, which outlives it; owned by the replica until ended().
// Thread safety: run(), expect() and end() on the replica's thread.
// Invariants:    memory is bounded: a batch, a line (one large line at a time in all followers together), an object's
//                piece. A record is applied when everything before it was.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "service/leader_client.h"
#include "service/log_signal.h"
#include "service/objects.h"
#include "service/replica_apply.h"
#include "service/replica_progress.h"
#include "service/replica_waiting.h"

namespace strata::service {

struct ReplicaLimits {
  // Records are applied together up to this.
  size_t batch_bytes = 4u << 20;
  size_t batch_records = 4'096;
  // A line up to here is small; one that is larger waits for its turn.
  size_t small_line_bytes = 1u << 20;
  // A record of 64 MiB in base64 takes 86.
  size_t max_line_bytes = 256u << 20;
  // Streams that stay open; with more namespaces than that each is asked in turn.
  size_t live_streams = 512;
  size_t copies = 2;
  int64_t first_delay_us = 50'000;
  int64_t longest_delay_us = 5'000'000;
  int64_t poll_interval_us = 1'000'000;
};

// What the followers of a replica have in common.
struct ReplicaShared {
  ReplicaStore store;
  LeaderClient& leader;
  LogSignal& signal;
  Objects& objects;
  uint64_t segment_bytes;
  ReplicaLimits limits;
  Turnstile copies{limits.copies};
  Turnstile large_lines{1};
  Turnstile turns{limits.live_streams};
  size_t followers = 0;
};

class ReplicaFollower {
 public:
  ReplicaFollower(ReplicaShared& shared, std::shared_ptr<ReplicaProgress> progress, std::string log_id);

  // Returns after end().
  void run();
  void end();
  bool has_ended() const { return has_ended_; }
  // Once.
  Future<void> ended() { return ended_.future(); }

  const std::string& name() const { return progress_->name(); }
  // The leader's namespace has this log now: a stream of another one is of no use any more.
  void expect(const std::string& log_id);
  // The leader is there again: what failed is tried now.
  void retry();

 private:
  struct Stream;
  class Current;

  enum class Outcome : uint8_t { copied, at_the_end };
  Result<Outcome> follow();
  Result<Outcome> copy();
  Result<void> stream(Stream& stream);
  Result<LeaderResponse> open_stream(Stream& stream);
  Result<void> read(Stream& stream, LeaderResponse& response);
  Result<void> take_lines(Stream& stream);
  Result<void> take_line(Stream& stream, BytesView line);
  Result<void> check_first(Stream& stream);
  Result<void> apply(Stream& stream);
  void note_progress(Stream& stream);
  Result<void> fetch_objects(Stream& stream, size_t first_operation);
  Result<records::ObjectReference> fetch(const records::Operation& operation, ObjectWriter& writer);
  Result<records::LogPosition> leader_end();
  std::string target(std::string_view rest) const;

  ReplicaShared& shared_;
  const std::shared_ptr<ReplicaProgress> progress_;
  std::string log_id_;
  PauseGate gate_;
  // Answers that are being read now.
  std::vector<LeaderResponse*> current_;
  int64_t delay_us_;
  Random random_;
  bool has_ended_ = false;
  Promise<void> ended_;
};

}  // namespace strata::service
