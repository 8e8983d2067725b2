// Reading a range through the transaction's own writes, and resolving key selectors by it.
#include <algorithm>

#include "kv/transaction_state.h"

namespace strata::kv {
namespace {

size_t row_cost(BytesView key, BytesView value) { return key.size() + value.size() + 8; }

// Collects one page. The range is walked in segments: where the transaction has cleared, only its own entries count and
// the engine is not asked; elsewhere the engine's rows and the own entries are merged.
class MergedRead : public std::enable_shared_from_this<MergedRead> {
 public:
  MergedRead(std::shared_ptr<TransactionState> state, MergedRange range, Version version)
      : state_(std::move(state)), range_(std::move(range)), version_(version), attempt_(state_->attempt) {
    left_ = range_.begin;
    right_ = range_.end;
  }

  Future<RangePage> run() {
    for (;;) {
      RangeRequest request;
      {
        std::lock_guard lock(state_->mutex);
        if (auto error = state_->stale(attempt_)) return *error;
        if (auto error = walk_cleared()) return *error;
        if (is_full_ || left_ >= right_) return finish();
        request = next_request();
      }
      Future<RangePage> answer = state_->engine->range(request);
      if (!answer.is_ready()) {
        return answer.then([self = shared_from_this()](Result<RangePage> page) -> Future<RangePage> {
          if (!page.ok()) return std::move(page).error();
          if (auto error = self->consume(std::move(*page))) return *error;
          return self->run();
        });
      }
      Result<RangePage> page = answer.get();
      if (!page.ok()) return std::move(page).error();
      if (auto error = consume(std::move(*page))) return *error;
    }
  }

 private:
  const WriteMap& writes() { return state_->own_writes(); }
  bool merges() { return range_.with_own_writes && !writes().empty(); }

  // Emits the own entries of every cleared range that the walk stands at.
  std::optional<Error> walk_cleared() {
    if (!merges()) return std::nullopt;
    while (!is_full_ && left_ < right_) {
      const auto cleared = range_.reverse ? cleared_before(right_) : writes().cleared().find(left_);
      if (cleared == writes().cleared().end()) return std::nullopt;
      // Copies: the views of the set live as long as the transaction, the strings of the walk do not.
      const Bytes begin(std::max(BytesView(left_), cleared->first));
      const Bytes end(std::min(BytesView(right_), cleared->second));
      if (auto error = merge(begin, end, Rows{})) return error;
      (range_.reverse ? right_ : left_) = range_.reverse ? begin : end;
    }
    return std::nullopt;
  }

  // The cleared range that ends at or after `key` and begins before it: the walk backwards stands at its end.
  RangeSet::Map::const_iterator cleared_before(BytesView key) {
    const RangeSet& cleared = writes().cleared();
    auto at = cleared.lower_bound(key);
    if (at == cleared.begin()) return cleared.end();
    --at;
    return at->second >= key ? at : cleared.end();
  }

  // The segment up to the next cleared range.
  RangeRequest next_request() {
    segment_begin_ = left_;
    segment_end_ = right_;
    if (merges()) {
      const RangeSet& cleared = writes().cleared();
      if (!range_.reverse) {
        const auto next = cleared.lower_bound(left_);
        if (next != cleared.end() && next->first < right_) segment_end_ = next->first;
      } else {
        auto at = cleared.lower_bound(right_);
        if (at != cleared.begin() && std::prev(at)->second > left_) segment_begin_ = std::prev(at)->second;
      }
    }
    RangeRequest request;
    request.begin = segment_begin_;
    request.end = segment_end_;
    request.version = version_;
    request.reverse = range_.reverse;
    request.one_pass = range_.one_pass;
    if (range_.limit_rows > 0) request.limit_rows = range_.limit_rows - page_.rows.size();
    if (range_.limit_bytes > 0) request.limit_bytes = range_.limit_bytes - bytes_;
    return request;
  }

  std::optional<Error> consume(RangePage page) {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->stale(attempt_)) return error;
    Bytes begin = segment_begin_;
    Bytes end = segment_end_;
    STRATA_ASSERT(!page.more || !page.rows.empty());
    if (page.more) {
      const BytesView last = page.rows.key(page.rows.size() - 1);
      if (range_.reverse) {
        begin = last;
      } else {
        end = key_after(last);
      }
    }
    if (!merges() && page_.rows.empty()) {
      take_whole(std::move(page.rows));
    } else if (auto error = merge(begin, end, page.rows)) {
      return error;
    }
    (range_.reverse ? right_ : left_) = range_.reverse ? begin : end;
    return std::nullopt;
  }

  // Nothing to merge with: the engine has kept to the limits, its page is ours without a copy.
  void take_whole(Rows rows) {
    page_.rows = std::move(rows);
    if (range_.limit_rows > 0 && page_.rows.size() >= range_.limit_rows) is_full_ = true;
    if (range_.limit_bytes > 0 && !is_full_) {
      for (size_t i = 0; i < page_.rows.size(); ++i) bytes_ += row_cost(page_.rows.key(i), page_.rows.value(i));
      if (bytes_ >= range_.limit_bytes) is_full_ = true;
    }
  }

  // Adds what [begin, end) holds: `rows` of the engine, changed by the own entries.
  std::optional<Error> merge(BytesView begin, BytesView end, const Rows& rows) {
    if (!merges()) {
      for (size_t i = 0; i < rows.size() && !is_full_; ++i) add(rows.key(i), rows.value(i));
      return std::nullopt;
    }
    const auto& entries = writes().entries();
    if (range_.reverse) {
      return merge_entries(std::make_reverse_iterator(entries.lower_bound(end)),
                           std::make_reverse_iterator(entries.lower_bound(begin)), rows, begin, end,
                           [](BytesView a, BytesView b) { return a > b; });
    }
    return merge_entries(entries.lower_bound(begin), entries.lower_bound(end), rows, begin, end,
                         [](BytesView a, BytesView b) { return a < b; });
  }

  template <class Iterator, class Before>
  std::optional<Error> merge_entries(Iterator entry, Iterator last, const Rows& rows, BytesView begin, BytesView end,
                                     Before before) {
    size_t i = 0;
    Bytes position(range_.reverse ? end : begin);
    while (!is_full_ && (entry != last || i < rows.size())) {
      if (entry == last || (i < rows.size() && before(rows.key(i), entry->first))) {
        if (passes_unreadable(position, rows.key(i))) return Error(ErrorCode::accessed_unreadable);
        add(rows.key(i), rows.value(i));
        ++i;
        continue;
      }
      if (passes_unreadable(position, entry->first)) return Error(ErrorCode::accessed_unreadable);
      std::optional<BytesView> stored;
      if (i < rows.size() && rows.key(i) == entry->first) stored = rows.value(i++);
      if (entry->second.is_unreadable) {
        if (!state_->options.bypass_unreadable) return Error(ErrorCode::accessed_unreadable);
        if (stored) add(entry->first, *stored);
      } else if (const auto value = WriteMap::resolve(entry->second, stored, state_->engine->limits().value_bytes)) {
        add(entry->first, *value);
      }
      ++entry;
    }
    // Unless the page is full, all of [begin, end) has been looked at: also where there is no row.
    const bool looked_at_unreadable = !is_full_ && writes().unreadable().intersects(begin, end);
    if (looked_at_unreadable && !state_->options.bypass_unreadable) return Error(ErrorCode::accessed_unreadable);
    return std::nullopt;
  }

  // Moves `position` to `key`. True where the commit may put a key in between: what follows would not be next.
  bool passes_unreadable(Bytes& position, BytesView key) {
    const RangeSet& unreadable = writes().unreadable();
    if (unreadable.empty() || state_->options.bypass_unreadable) return false;
    if (unreadable.contains(key)) return true;
    const bool passes = range_.reverse ? unreadable.intersects(key, position) : unreadable.intersects(position, key);
    position = key;
    return passes;
  }

  void add(BytesView key, BytesView value) {
    page_.rows.append(key, value);
    bytes_ += row_cost(key, value);
    if (range_.limit_rows > 0 && page_.rows.size() >= range_.limit_rows) is_full_ = true;
    if (range_.limit_bytes > 0 && bytes_ >= range_.limit_bytes) is_full_ = true;
  }

  RangePage finish() {
    // As FoundationDB: `more` whenever a limit was reached, even with the last row.
    page_.more = is_full_;
    return std::move(page_);
  }

  std::shared_ptr<TransactionState> state_;
  const MergedRange range_;
  const Version version_;
  const uint64_t attempt_;
  Bytes left_;  // what is still to be walked: [left_, right_)
  Bytes right_;
  Bytes segment_begin_;
  Bytes segment_end_;
  RangePage page_;
  size_t bytes_ = 0;
  bool is_full_ = false;
};

// Counts keys from the selector's base, page by page.
class SelectorWalk : public std::enable_shared_from_this<SelectorWalk> {
 public:
  SelectorWalk(std::shared_ptr<TransactionState> state, const KeySelector& selector, bool with_own_writes,
               Version version)
      : state_(std::move(state)), forward_(selector.offset > 0), version_(version), with_own_writes_(with_own_writes) {
    {
      std::lock_guard lock(state_->mutex);
      end_ = state_->read_end();
    }
    position_ = selector_base(selector, end_);
    left_to_skip_ = forward_ ? static_cast<int64_t>(selector.offset) : 1 - static_cast<int64_t>(selector.offset);
  }

  Future<ResolvedSelector> run() {
    for (;;) {
      MergedRange range{forward_ ? position_ : Bytes(), forward_ ? end_ : position_};
      range.limit_rows = static_cast<size_t>(left_to_skip_);
      range.limit_bytes = page_bytes;
      range.reverse = !forward_;
      range.with_own_writes = with_own_writes_;
      Future<RangePage> answer = read_merged_range(state_, std::move(range), version_);
      if (!answer.is_ready()) {
        return answer.then([self = shared_from_this()](Result<RangePage> page) -> Future<ResolvedSelector> {
          if (!page.ok()) return std::move(page).error();
          if (self->consume(*page)) return std::move(self->resolved_);
          return self->run();
        });
      }
      Result<RangePage> page = answer.get();
      if (!page.ok()) return std::move(page).error();
      if (consume(*page)) return std::move(resolved_);
    }
  }

 private:
  // True when the place is found.
  bool consume(const RangePage& page) {
    const size_t count = page.rows.size();
    left_to_skip_ -= static_cast<int64_t>(count);
    if (left_to_skip_ == 0) {
      resolved_.key = page.rows.key(count - 1);
      return true;
    }
    if (!page.more) {
      resolved_.key = forward_ ? end_ : Bytes();
      (forward_ ? resolved_.ran_off_end : resolved_.ran_off_begin) = true;
      return true;
    }
    position_ = forward_ ? key_after(page.rows.key(count - 1)) : Bytes(page.rows.key(count - 1));
    return false;
  }

  std::shared_ptr<TransactionState> state_;
  const bool forward_;
  const Version version_;
  const bool with_own_writes_;
  Bytes end_;
  Bytes position_;
  int64_t left_to_skip_;
  ResolvedSelector resolved_;
};

}  // namespace

Bytes selector_base(const KeySelector& selector, BytesView end) {
  Bytes base = selector.or_equal ? key_after(selector.key) : selector.key;
  if (base > end) base = end;
  return base;
}

Future<RangePage> read_merged_range(std::shared_ptr<TransactionState> state, MergedRange range, Version version) {
  return std::make_shared<MergedRead>(std::move(state), std::move(range), version)->run();
}

Future<ResolvedSelector> resolve_selector(std::shared_ptr<TransactionState> state, const KeySelector& selector,
                                          bool with_own_writes, Version version) {
  return std::make_shared<SelectorWalk>(std::move(state), selector, with_own_writes, version)->run();
}

}  // namespace strata::kv
