#include "kv/range_set.h"

#include <algorithm>

namespace strata::kv {

RangeSet::Map::const_iterator RangeSet::find(BytesView key) const {
  auto after = ranges_.upper_bound(key);
  if (after == ranges_.begin()) return ranges_.end();
  --after;
  return key < after->second ? after : ranges_.end();
}

bool RangeSet::intersects(BytesView begin, BytesView end) const {
  if (begin >= end) return false;
  if (contains(begin)) return true;
  const auto next = ranges_.lower_bound(begin);
  return next != ranges_.end() && next->first < end;
}

void RangeSet::add(BytesView begin, BytesView end) {
  if (begin >= end) return;
  auto at = ranges_.upper_bound(begin);
  if (at != ranges_.begin()) {
    auto before = std::prev(at);
    if (before->second >= begin) {
      begin = before->first;
      end = std::max(end, before->second);
      at = ranges_.erase(before);
    }
  }
  while (at != ranges_.end() && at->first <= end) {
    end = std::max(end, at->second);
    at = ranges_.erase(at);
  }
  ranges_.emplace_hint(at, begin, end);
}

void RangeSet::subtract(BytesView begin, BytesView end) {
  if (begin >= end) return;
  auto at = ranges_.upper_bound(begin);
  if (at != ranges_.begin()) --at;
  while (at != ranges_.end() && at->first < end) {
    const auto [range_begin, range_end] = *at;
    if (range_end <= begin) {
      ++at;
      continue;
    }
    at = ranges_.erase(at);
    if (range_begin < begin) ranges_.emplace_hint(at, range_begin, begin);
    if (end < range_end) at = ranges_.emplace_hint(at, end, range_end);
  }
}

}  // namespace strata::kv
