// ReadViews: which published version is which RocksDB snapshot.
//
// Purpose:       readers find the snapshot of a version without a lock and without a shared counter; the committer
//                publishes versions and drops what nobody may ask for any more.
// Ownership:     owns the snapshots. No snapshot is released while a Pin that could see it lives.
// Thread safety: pin, hand_out, newest: any thread. publish, expire: one thread at a time.
// Invariants:    slots are in the order of their versions. A version that was handed out stays for the lifetime after
//                the next one replaced it; of the others the newest `recent_count` stay, for readers at the version of
//                their own commit. What lies between two published versions reads as the lower one.
// Why not a mutex and a shared_ptr: every read of every thread would write the same cache line; here a reader writes
//                a line that it shares with few others.
#pragma once

#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "kv/engine.h"

namespace strata::kv {

class ReadViews {
 public:
  // One version for a view that nobody asked for is kept this many publications.
  static constexpr uint64_t recent_count = 4'096;
  // Beyond it the oldest go early: 5 s hold them at 200,000 batches a second.
  static constexpr uint64_t most_slots = 1 << 20;

  ReadViews(rocksdb::DB& db, Clock& clock, int64_t lifetime_ms);
  // No Pin is left.
  ~ReadViews();

  // Holds a snapshot; short-lived: while one lives nothing that it could see is released.
  class Pin {
   public:
    Pin(Pin&& other) noexcept : count_(std::exchange(other.count_, nullptr)), snapshot_(other.snapshot_) {}
    Pin& operator=(Pin&&) = delete;
    ~Pin() {
      if (count_) count_->fetch_sub(1, std::memory_order_release);
    }
    const rocksdb::Snapshot* snapshot() const { return snapshot_; }

   private:
    friend class ReadViews;
    explicit Pin(std::atomic<int64_t>* count) : count_(count) {}
    std::atomic<int64_t>* count_;
    const rocksdb::Snapshot* snapshot_ = nullptr;
  };

  // Errors: transaction_too_old, future_version.
  Result<Pin> pin(Version version) const;
  // The newest version, to be kept for readers.
  Version hand_out();
  Version newest() const { return newest_.load(std::memory_order_seq_cst); }

  // What the database holds now is `version`.
  void publish(Version version);
  // Drops what is due. Also done by publish.
  void expire();
  // Something will be due later, without another publication.
  bool has_more_than_newest() const;
  uint64_t snapshots() const { return snapshots_.load(std::memory_order_relaxed); }

 private:
  enum State : uint8_t { fresh, handed_out, dropped };
  struct Slot {
    std::atomic<Version> version;
    std::atomic<const rocksdb::Snapshot*> snapshot;
    std::atomic<int64_t> superseded_us;
    std::atomic<uint8_t> state;
  };
  struct Ring {
    explicit Ring(uint64_t count) : mask(count - 1), slots(new Slot[count]) {}
    Slot& at(uint64_t index) const { return slots[index & mask]; }
    const uint64_t mask;
    const std::unique_ptr<Slot[]> slots;
  };
  // Readers count themselves in and out, on the side that epoch_ names; a batch of retired snapshots is released when
  // both sides of every shard were seen empty after it was retired (sleepable RCU, without its sleeping).
  struct alignas(64) Shard {
    std::array<std::atomic<int64_t>, 2> readers{};
  };
  struct Retired {
    std::vector<const rocksdb::Snapshot*> snapshots;
    std::vector<std::unique_ptr<Ring>> rings;
    bool empty() const { return snapshots.empty() && rings.empty(); }
  };

  Pin enter() const;
  void drop_snapshot(Slot& slot);
  void drop_oldest();
  void grow(uint64_t head, uint64_t tail);
  bool side_is_empty(unsigned side) const;
  void release_retired();

  rocksdb::DB& db_;
  Clock& clock_;
  const int64_t lifetime_us_;

  // Slots [tail_, head_) are alive; a reader loads head_ before ring_.
  std::atomic<Ring*> ring_;
  std::atomic<uint64_t> head_{0};
  std::atomic<uint64_t> tail_{0};
  std::atomic<Version> newest_{invalid_version};
  uint64_t thinned_ = 0;  // below it no slot is fresh

  static constexpr unsigned shard_count = 32;
  mutable std::array<Shard, shard_count> shards_;
  std::atomic<unsigned> epoch_{0};
  Retired pending_;  // since the current release began
  Retired releasing_;
  bool first_side_seen_empty_ = false;
  std::atomic<uint64_t> snapshots_{0};
};

}  // namespace strata::kv
