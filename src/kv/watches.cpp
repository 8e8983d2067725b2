#include "kv/watches.h"

namespace strata::kv {

Future<void> Watches::add(BytesView key, std::optional<Bytes> value) {
  Promise<void> promise;
  Future<void> future = promise.future();
  std::lock_guard lock(state_->mutex);
  if (state_->by_key.size() >= limit_) return ErrorCode::too_many_watches;
  const uint64_t id = state_->next_id++;
  promise.on_cancel([weak = std::weak_ptr<State>(state_), id, key = Bytes(key)] {
    const std::shared_ptr<State> state = weak.lock();
    if (!state) return;
    // Destroyed after the lock is gone: a promise may run code of others.
    std::optional<Watch> forgotten;
    std::lock_guard hook_lock(state->mutex);
    auto [it, end] = state->by_key.equal_range(key);
    for (; it != end; ++it) {
      if (it->second.id != id) continue;
      forgotten.emplace(std::move(it->second));
      state->by_key.erase(it);
      state->count.fetch_sub(1, std::memory_order_seq_cst);
      return;
    }
  });
  state_->by_key.emplace(Bytes(key), Watch{id, std::move(value), std::move(promise)});
  state_->count.fetch_add(1, std::memory_order_seq_cst);
  return future;
}

void Watches::collect(BytesView begin, BytesView end, std::vector<Bytes>& keys) const {
  std::lock_guard lock(state_->mutex);
  for (auto it = state_->by_key.lower_bound(begin); it != state_->by_key.end() && it->first < end;
       it = state_->by_key.upper_bound(it->first)) {
    keys.push_back(it->first);
  }
}

void Watches::settle(BytesView key, const std::optional<Bytes>& value) {
  std::vector<Promise<void>> fired;
  {
    std::lock_guard lock(state_->mutex);
    auto [it, end] = state_->by_key.equal_range(key);
    while (it != end) {
      if (it->second.value == value) {
        ++it;
        continue;
      }
      fired.push_back(std::move(it->second.promise));
      it = state_->by_key.erase(it);
      state_->count.fetch_sub(1, std::memory_order_seq_cst);
    }
  }
  for (Promise<void>& promise : fired) promise.fulfil({});
}

}  // namespace strata::kv
