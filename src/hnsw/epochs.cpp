#include "hnsw/epochs.h"

#include "base/metrics.h"

namespace strata::hnsw {

uint32_t Epochs::enter() const {
  const auto stripe = static_cast<uint32_t>(metric_cell_of_this_thread() % stripes);
  while (true) {
    const uint64_t epoch = now();
    const auto phase = static_cast<uint32_t>(epoch % 3);
    stripes_[stripe].inside[phase].fetch_add(1, std::memory_order_seq_cst);
    // The epoch may have moved on before we were counted; then passed() may not have seen us.
    if (now() == epoch) return stripe * 3 + phase;
    stripes_[stripe].inside[phase].fetch_sub(1, std::memory_order_seq_cst);
  }
}

void Epochs::leave(uint32_t place) const {
  stripes_[place / 3].inside[place % 3].fetch_sub(1, std::memory_order_seq_cst);
}

bool Epochs::empty(uint64_t phase) const {
  for (const Stripe& stripe : stripes_) {
    if (stripe.inside[phase].load(std::memory_order_seq_cst) != 0) return false;
  }
  return true;
}

bool Epochs::passed(uint64_t epoch) {
  while (now() < epoch + 2) {
    // Those of two epochs ago were seen to be gone when the last step was made; now those of the one before.
    if (!empty((now() + 2) % 3)) return false;
    epoch_.fetch_add(1, std::memory_order_seq_cst);
  }
  return true;
}

}  // namespace strata::hnsw
