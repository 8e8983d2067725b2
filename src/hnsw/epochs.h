// Epochs: when nobody can hold a slot any more.
//
// Purpose:       searches go through the graph without a lock; a slot that was removed is used again when everyone who
//                may have come across it has left.
// Ownership:     none.
// Thread safety: all of it, from any thread.
// Invariants:    who entered at epoch e holds the epoch at e + 1 at most: what was retired at e is free from e + 2 on.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace strata::hnsw {

class Epochs {
 public:
  // The place to leave from.
  uint32_t enter() const;
  void leave(uint32_t place) const;
  // Of now: what is unlinked before the call is free once passed(of what it returned).
  uint64_t now() const { return epoch_.load(std::memory_order_seq_cst); }
  // True when all who entered at `epoch` or before have left. Moves the epoch on as far as it can. One caller at a
  // time.
  bool passed(uint64_t epoch);

  class Guard {
   public:
    explicit Guard(const Epochs& epochs) : epochs_(epochs), place_(epochs.enter()) {}
    ~Guard() { epochs_.leave(place_); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    const Epochs& epochs_;
    const uint32_t place_;
  };

 private:
  static constexpr uint32_t stripes = 8;
  struct alignas(64) Stripe {
    mutable std::array<std::atomic<int64_t>, 3> inside{};
  };
  bool empty(uint64_t phase) const;

  std::atomic<uint64_t> epoch_{3};
  std::array<Stripe, stripes> stripes_;
};

}  // namespace strata::hnsw
