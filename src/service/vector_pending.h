// PendingVectors: committed vectors that are not in the graph yet.
//
// Purpose:       a write is answered before the graph has taken it in, and the next search must show it: searches scan
//                these exactly, beside the graph, while threads in the background move them there.
// Ownership:     owns copies; a scan shares the blocks that it looks at.
// Thread safety: scans from any thread, which wait for nobody; add, remove and the movers from any thread.
// Invariants:    an id is pending once. A vector that is moved stays visible here until `done`, when the graph has it:
//                who scans here first and then searches the graph misses nothing. Blocks are appended to and never
//                rewritten.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "hnsw/types.h"
#include "service/vector_types.h"

namespace strata::service {

struct PendingVector {
  uint64_t id = 0;
  std::span<const float> values;
  const Metadata* metadata = nullptr;
  uint32_t ef_construction = 0;
  // Its metadata is not to be indexed before optimize.
  bool unread = false;
};

class PendingVectors {
  struct Block;
  struct Place {
    std::shared_ptr<Block> block;
    uint32_t index = 0;
    bool taken = false;
  };

 public:
  PendingVectors(uint32_t dimension, hnsw::Metric metric);

  // Instead of one of the same id. It is seen at once, and not moved before release(): the caller first takes what the
  // graph has of it away. True: one of the same id was here.
  bool add(const PendingVector& vector);
  void release(uint64_t id);
  // False: it is not here, or no longer. Waits for the one that is moving it.
  bool remove(uint64_t id);
  // Other metadata for one that is here; false: it is not.
  bool set_metadata(uint64_t id, const Metadata& metadata, bool unread);

  size_t size() const { return size_.load(std::memory_order_relaxed); }
  bool contains(uint64_t id) const;
  std::vector<uint64_t> ids() const;
  std::optional<std::vector<float>> values(uint64_t id) const;
  size_t memory_bytes() const;

  struct Scan {
    std::vector<hnsw::Match> matches;
    // Of what was added after this scan.
    uint64_t next = 0;
  };
  // Appends all that are here from sequence number `from` on and match.
  void scan(std::span<const float> query, const VectorFilter* filter, uint64_t from, Scan& into) const;

  // One to move to the graph, the oldest first. It is the caller's until done().
  class Taken {
   public:
    PendingVector vector() const;

   private:
    friend class PendingVectors;
    std::shared_ptr<Block> block_;
    uint32_t index_ = 0;
  };
  std::optional<Taken> take();
  // It is in the graph now; or (back) it could not be moved and stays.
  void done(const Taken& taken);
  void give_back(const Taken& taken);

 private:
  struct Block {
    Block(uint64_t first_number, uint32_t capacity, uint32_t dimension);
    const uint64_t first;  // sequence number of its first
    const uint32_t capacity;
    std::vector<float> values;
    std::vector<uint64_t> ids;
    std::vector<Metadata> metadata;
    std::vector<uint32_t> ef_construction;
    std::vector<char> unread;
    std::unique_ptr<std::atomic<bool>[]> gone;
    // Those below are written for good.
    std::atomic<uint32_t> count{0};
    uint32_t left = 0;  // not gone; with mutex_ held
  };

  // With mutex_ held.
  void append(const PendingVector& vector);
  void replace(const PendingVector& vector, const Place& old);
  void enqueue(uint64_t id);
  void forget(uint64_t id);
  void wait_until_untaken(std::unique_lock<std::mutex>& lock, uint64_t id) const;

  const uint32_t dimension_;
  const hnsw::Metric metric_;
  const uint32_t capacity_;
  mutable std::mutex mutex_;
  mutable std::condition_variable moved_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::unordered_map<uint64_t, Place> places_;
  std::deque<std::pair<std::shared_ptr<Block>, uint32_t>> untaken_;
  uint64_t next_ = 0;
  std::atomic<size_t> size_{0};
};

}  // namespace strata::service
