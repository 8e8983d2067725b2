// ReplicaProgress: how far one namespace of a replica is, for whoever asks.
//
// Purpose:       the position and the lag that answers carry, and GET /replica.
// Ownership:     shared by the follower, which writes it, and readers.
// Thread safety: any thread.
// Invariants:    the position is that of data that is committed here: a read that begins after it was asked for sees at
//                least that much.
#pragma once

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "layers/records/follow_rows.h"

namespace strata::service {

enum class ReplicaState : uint8_t {
  waiting,    // for the leader: not connected, or refused
  copying,    // a full copy comes in; what is read meanwhile is the copy before it, or nothing
  following,  // the log comes in
};

struct ReplicaNamespaceStatus {
  std::string name;
  ReplicaState state = ReplicaState::waiting;
  // nullopt: there is no copy yet.
  std::optional<records::FollowRow> row;
  // How old what is read may be, as far as is known; by the leader's clock where records tell it.
  int64_t lag_us = 0;
  uint64_t records_applied = 0;  // since the start
  uint64_t copies = 0;           // since the start
  // Of the last attempt; empty: none.
  std::string error;
};

class ReplicaProgress {
 public:
  ReplicaProgress(std::string name, Clock& clock, std::optional<records::FollowRow> row)
      : name_(std::move(name)), clock_(clock), row_(std::move(row)) {
    if (row_) complete_us_ = row_->wall_us;
  }

  const std::string& name() const { return name_; }

  // Records [.., last] have come and are not applied yet; the oldest was written at wall_us.
  void received(int64_t wall_us) {
    std::lock_guard lock(mutex_);
    if (oldest_waiting_us_ == 0) oldest_waiting_us_ = wall_us;
  }
  void applied(const records::FollowRow& row, uint64_t records) {
    std::lock_guard lock(mutex_);
    row_ = row;
    records_applied_ += records;
    oldest_waiting_us_ = 0;
    applied_steady_us_ = clock_.steady_us();
    last_lag_us_ = std::max<int64_t>(0, clock_.wall_us() - row.wall_us);
    complete_us_ = row.wall_us;
  }
  void copied(const records::FollowRow& row) {
    std::lock_guard lock(mutex_);
    row_ = row;
    complete_us_ = row.wall_us;
    state_ = ReplicaState::waiting;  // for the log behind the copy
    ++copies_;
  }
  // The log is being read, and everything that the leader had a moment ago is here.
  void set_live() {
    std::lock_guard lock(mutex_);
    state_ = ReplicaState::following;
    live_ = true;
    error_.clear();
  }
  void set_state(ReplicaState state) {
    std::lock_guard lock(mutex_);
    leave_live();
    state_ = state;
  }
  void set_error(std::string error) {
    std::lock_guard lock(mutex_);
    leave_live();
    state_ = ReplicaState::waiting;
    error_ = std::move(error);
  }
  void forget_copy() {
    std::lock_guard lock(mutex_);
    row_.reset();
  }

  // silent_us: for how long nothing at all was heard of the leader.
  ReplicaNamespaceStatus status(int64_t silent_us) const {
    std::lock_guard lock(mutex_);
    return {.name = name_,
            .state = state_,
            .row = row_,
            .lag_us = std::max(silent_us, lag_us()),
            .records_applied = records_applied_,
            .copies = copies_,
            .error = error_};
  }
  struct Position {
    records::LogPosition position;
    int64_t lag_us = 0;
  };
  std::optional<Position> position(int64_t silent_us) const {
    std::lock_guard lock(mutex_);
    if (!row_) return std::nullopt;
    return Position{row_->position, std::max(silent_us, lag_us())};
  }

 private:
  // What a lag was is told for this long after the records that showed it.
  static constexpr int64_t lag_memory_us = 1'000'000;

  void leave_live() {
    // As of now nothing is missing; from now on that is getting older.
    if (live_ && oldest_waiting_us_ == 0) complete_us_ = clock_.wall_us();
    live_ = false;
    oldest_waiting_us_ = 0;
  }
  int64_t lag_us() const {
    if (!live_) return std::max<int64_t>(0, clock_.wall_us() - complete_us_);
    if (oldest_waiting_us_ != 0) return std::max<int64_t>(0, clock_.wall_us() - oldest_waiting_us_);
    return clock_.steady_us() - applied_steady_us_ < lag_memory_us ? last_lag_us_ : 0;
  }

  const std::string name_;
  Clock& clock_;
  mutable std::mutex mutex_;
  ReplicaState state_ = ReplicaState::waiting;
  std::optional<records::FollowRow> row_;
  bool live_ = false;
  // By the wall clock: everything that was written until then is here.
  int64_t complete_us_ = 0;
  int64_t oldest_waiting_us_ = 0;
  int64_t applied_steady_us_ = 0;
  int64_t last_lag_us_ = 0;
  uint64_t records_applied_ = 0;
  uint64_t copies_ = 0;
  std::string error_;
};

}  // namespace strata::service
