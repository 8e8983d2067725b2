// Watches: who waits for which key to change.
//
// Purpose:       the registry behind Engine::watch; engines tell it what was written and what is there now.
// Ownership:     holds the promises; a registry that dies cancels them. Cancelling a future forgets its watch.
// Thread safety: every method from any thread. Futures are fulfilled with no lock held, on the thread that settles.
// Invariants:    a watch fires at most once, and only for a value that differs from its own. Register first, look at
//                the value afterwards: then no change slips between.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/future.h"

namespace strata::kv {

class Watches {
 public:
  explicit Watches(size_t limit) : state_(std::make_shared<State>()), limit_(limit) {}

  // Errors: too_many_watches.
  Future<void> add(BytesView key, std::optional<Bytes> value);

  // Without a lock: false may be a watch that is being added, which looks at the value itself.
  bool empty() const { return state_->count.load(std::memory_order_seq_cst) == 0; }
  size_t size() const { return state_->count.load(std::memory_order_relaxed); }

  // Appends the watched keys in [begin, end).
  void collect(BytesView begin, BytesView end, std::vector<Bytes>& keys) const;

  // `key` holds `value` now: fires the watches of the key that were set on another one.
  void settle(BytesView key, const std::optional<Bytes>& value);

 private:
  struct Watch {
    uint64_t id;
    std::optional<Bytes> value;
    Promise<void> promise;
  };
  struct State {
    std::mutex mutex;
    std::multimap<Bytes, Watch, std::less<>> by_key;
    uint64_t next_id = 0;
    std::atomic<size_t> count = 0;
  };

  // Shared with the cancellation hooks, which may outlive the registry.
  std::shared_ptr<State> state_;
  const size_t limit_;
};

}  // namespace strata::kv
