#include "engine/rocksdb/read_views.h"

namespace strata::kv {
namespace {

constexpr uint64_t first_slots = 1'024;
// How many publications may pass while hand_out looks at a slot; far fewer than a ring holds and than stay anyway.
constexpr uint64_t hand_out_lag = 32;
constexpr int64_t not_superseded = INT64_MAX;

unsigned this_thread_number() {
  static std::atomic<unsigned> next{0};
  thread_local const unsigned number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

ReadViews::ReadViews(rocksdb::DB& db, Clock& clock, int64_t lifetime_ms)
    : db_(db), clock_(clock), lifetime_us_(lifetime_ms * 1'000), ring_(new Ring(first_slots)) {}

ReadViews::~ReadViews() {
  const Ring& ring = *ring_.load();
  for (uint64_t i = tail_.load(); i != head_.load(); ++i) drop_snapshot(ring.at(i));
  for (const auto* retired : {&pending_, &releasing_}) {
    for (const rocksdb::Snapshot* snapshot : retired->snapshots) db_.ReleaseSnapshot(snapshot);
  }
  delete ring_.load();
}

ReadViews::Pin ReadViews::enter() const {
  const unsigned side = epoch_.load(std::memory_order_relaxed) & 1;
  std::atomic<int64_t>& count = shards_[this_thread_number() % shard_count].readers[side];
  // Before any look at a slot, in the one order that release_retired looks in as well.
  count.fetch_add(1, std::memory_order_seq_cst);
  return Pin(&count);
}

Result<ReadViews::Pin> ReadViews::pin(Version version) const {
  Pin pin = enter();
  const uint64_t head = head_.load(std::memory_order_seq_cst);
  uint64_t low = tail_.load(std::memory_order_seq_cst);
  const Ring& ring = *ring_.load(std::memory_order_seq_cst);
  // By the ring, not by newest(): hand_out may give a version out before newest() says so.
  const Version last = ring.at(head - 1).version.load(std::memory_order_seq_cst);
  if (version > last) return ErrorCode::future_version;
  // The last slot whose version is not above the one asked for: mostly the newest.
  uint64_t high = head;
  if (last == version) {
    low = head - 1;
  } else {
    if (ring.at(low).version.load(std::memory_order_seq_cst) > version) return ErrorCode::transaction_too_old;
    while (high - low > 1) {
      const uint64_t middle = low + (high - low) / 2;
      (ring.at(middle).version.load(std::memory_order_seq_cst) <= version ? low : high) = middle;
    }
  }
  const Version found = ring.at(low).version.load(std::memory_order_seq_cst);
  pin.snapshot_ = ring.at(low).snapshot.load(std::memory_order_seq_cst);
  // While we looked the slot may have been dropped, and used again for another version.
  if (found > version || !pin.snapshot_ || tail_.load(std::memory_order_seq_cst) > low) {
    return ErrorCode::transaction_too_old;
  }
  return pin;
}

Version ReadViews::hand_out() {
  const Pin pin = enter();
  for (;;) {
    const uint64_t head = head_.load(std::memory_order_seq_cst);
    Slot& slot = ring_.load(std::memory_order_seq_cst)->at(head - 1);
    const Version version = slot.version.load(std::memory_order_seq_cst);
    uint8_t state = slot.state.load(std::memory_order_seq_cst);
    if (state == fresh) slot.state.compare_exchange_strong(state, handed_out, std::memory_order_seq_cst);
    if (state != dropped && head_.load(std::memory_order_seq_cst) - head < hand_out_lag) return version;
  }
}

void ReadViews::drop_snapshot(Slot& slot) {
  const rocksdb::Snapshot* snapshot = slot.snapshot.exchange(nullptr, std::memory_order_seq_cst);
  if (!snapshot) return;
  pending_.snapshots.push_back(snapshot);
  snapshots_.fetch_sub(1, std::memory_order_relaxed);
}

void ReadViews::drop_oldest() {
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  tail_.store(tail + 1, std::memory_order_seq_cst);
  drop_snapshot(ring_.load(std::memory_order_relaxed)->at(tail));
}

void ReadViews::grow(uint64_t head, uint64_t tail) {
  Ring* old = ring_.load(std::memory_order_relaxed);
  auto* wider = new Ring((old->mask + 1) * 2);
  for (uint64_t i = tail; i != head; ++i) {
    Slot& from = old->at(i);
    Slot& to = wider->at(i);
    to.version.store(from.version.load());
    to.superseded_us.store(from.superseded_us.load());
    to.snapshot.store(from.snapshot.load());
    // hand_out may mark a slot of the old ring after this copy: those that it may still return count as handed out.
    to.state.store(i + hand_out_lag >= head ? static_cast<uint8_t>(handed_out) : from.state.load());
  }
  ring_.store(wider, std::memory_order_seq_cst);
  pending_.rings.emplace_back(old);
}

void ReadViews::publish(Version version) {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const int64_t now_us = clock_.steady_us();
  if (head != 0) {
    STRATA_ASSERT(version > newest());
    ring_.load(std::memory_order_relaxed)->at(head - 1).superseded_us.store(now_us, std::memory_order_relaxed);
  }
  const uint64_t held = head - tail_.load(std::memory_order_relaxed);
  if (held > ring_.load(std::memory_order_relaxed)->mask) {
    if (held < most_slots) {
      grow(head, tail_.load(std::memory_order_relaxed));
    } else {
      drop_oldest();
    }
  }
  Slot& slot = ring_.load(std::memory_order_relaxed)->at(head);
  slot.version.store(version, std::memory_order_seq_cst);
  slot.superseded_us.store(not_superseded, std::memory_order_relaxed);
  slot.state.store(fresh, std::memory_order_seq_cst);
  slot.snapshot.store(db_.GetSnapshot(), std::memory_order_seq_cst);
  snapshots_.fetch_add(1, std::memory_order_relaxed);
  head_.store(head + 1, std::memory_order_seq_cst);
  newest_.store(version, std::memory_order_seq_cst);
  expire();
}

void ReadViews::expire() {
  const Ring& ring = *ring_.load(std::memory_order_relaxed);
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const int64_t horizon_us = clock_.steady_us() - lifetime_us_;
  while (tail_.load(std::memory_order_relaxed) + 1 < head &&
         ring.at(tail_.load(std::memory_order_relaxed)).superseded_us.load(std::memory_order_relaxed) < horizon_us) {
    drop_oldest();
  }
  if (thinned_ < tail_.load(std::memory_order_relaxed)) thinned_ = tail_.load(std::memory_order_relaxed);
  for (; thinned_ + recent_count < head; ++thinned_) {
    Slot& slot = ring.at(thinned_);
    uint8_t state = fresh;
    if (slot.state.compare_exchange_strong(state, dropped, std::memory_order_seq_cst)) drop_snapshot(slot);
  }
  release_retired();
}

bool ReadViews::has_more_than_newest() const {
  return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_relaxed) > 1 || !pending_.empty() ||
         !releasing_.empty();
}

bool ReadViews::side_is_empty(unsigned side) const {
  for (const Shard& shard : shards_) {
    if (shard.readers[side].load(std::memory_order_seq_cst) != 0) return false;
  }
  return true;
}

// Readers that could see a retired snapshot are counted on the current side, or, if they were slow to count
// themselves in, on the other one. First the other side must be seen empty (nobody new goes there), then the sides
// are swapped and the one that was current must be.
void ReadViews::release_retired() {
  if (releasing_.empty()) {
    if (pending_.empty()) return;
    std::swap(pending_, releasing_);
    first_side_seen_empty_ = false;
  }
  const unsigned epoch = epoch_.load(std::memory_order_relaxed);
  if (!first_side_seen_empty_) {
    if (!side_is_empty((epoch + 1) & 1)) return;
    epoch_.store(epoch + 1, std::memory_order_seq_cst);
    first_side_seen_empty_ = true;
    if (!side_is_empty(epoch & 1)) return;
  } else if (!side_is_empty((epoch + 1) & 1)) {
    return;
  }
  for (const rocksdb::Snapshot* snapshot : releasing_.snapshots) db_.ReleaseSnapshot(snapshot);
  releasing_ = {};
}

}  // namespace strata::kv
