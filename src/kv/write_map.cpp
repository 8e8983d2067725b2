#include "kv/write_map.h"

#include "kv/atomic.h"

namespace strata::kv {

void WriteMap::set(BytesView key, BytesView value) {
  const auto [at, is_new] = entries_.try_emplace(key);
  Entry& entry = at->second;
  // As in FoundationDB, what is unreadable stays so until it is cleared.
  if (is_new && unreadable_.contains(key)) entry.is_unreadable = true;
  if (entry.is_unreadable) return;
  entry = Entry{};
  entry.is_known = true;
  entry.known = value;
}

void WriteMap::clear(Arena& arena, BytesView key) {
  if (unreadable_.contains(key)) unreadable_.subtract(key, arena.copy_key_after(key));
  Entry& entry = entries_[key];
  entry = Entry{};
  entry.is_known = true;
}

void WriteMap::clear_range(BytesView begin, BytesView end) {
  if (begin >= end) return;
  entries_.erase(entries_.lower_bound(begin), entries_.lower_bound(end));
  unreadable_.subtract(begin, end);
  cleared_.add(begin, end);
}

void WriteMap::atomic(Arena& arena, MutationType type, BytesView key, BytesView operand, size_t value_limit_bytes) {
  const Look before = look(key);
  if (before.sight == Sight::unreadable) return;  // stays unreadable: what it becomes is known at commit alone
  Entry& entry = entries_[key];
  if (before.sight == Sight::known) {
    // A cleared key without an entry of its own: the base is known to be absent.
    entry.is_known = true;
    const std::optional<Bytes> folded = apply_atomic(type, entry.known, operand, value_limit_bytes);
    entry.known = folded ? std::optional<BytesView>(arena.copy(*folded)) : std::nullopt;
    return;
  }
  entry.pending.push_back({type, operand});
}

void WriteMap::set_unreadable(BytesView key) {
  Entry& entry = entries_[key];
  entry = Entry{};
  entry.is_unreadable = true;
}

void WriteMap::add_unreadable_range(BytesView begin, BytesView end) {
  if (begin >= end) return;
  for (auto it = entries_.lower_bound(begin); it != entries_.end() && it->first < end; ++it) {
    it->second = Entry{};
    it->second.is_unreadable = true;
  }
  unreadable_.add(begin, end);
}

WriteMap::Look WriteMap::look(BytesView key) const {
  if (const auto found = entries_.find(key); found != entries_.end()) {
    const Entry& entry = found->second;
    if (entry.is_unreadable) return {Sight::unreadable, &entry};
    return {entry.is_known ? Sight::known : Sight::pending, &entry};
  }
  if (unreadable_.contains(key)) return {Sight::unreadable, nullptr};
  if (cleared_.contains(key)) return {Sight::known, nullptr};
  return {Sight::stored, nullptr};
}

std::optional<Bytes> WriteMap::resolve(const Entry& entry, std::optional<BytesView> stored, size_t value_limit_bytes) {
  STRATA_ASSERT(!entry.is_unreadable);
  if (entry.is_known) return entry.known ? std::optional<Bytes>(*entry.known) : std::nullopt;
  std::optional<Bytes> value = stored ? std::optional<Bytes>(*stored) : std::nullopt;
  for (const Operation& operation : entry.pending) {
    const std::optional<BytesView> current = value ? std::optional<BytesView>(*value) : std::nullopt;
    value = apply_atomic(operation.type, current, operation.operand, value_limit_bytes);
  }
  return value;
}

}  // namespace strata::kv
