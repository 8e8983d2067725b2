// The reads of a transaction.
#include <algorithm>

#include "kv/mapped_range.h"
#include "kv/special_keys.h"
#include "kv/transaction_state.h"

namespace strata::kv {
namespace {

// Bytes a page aims at; 0: no limit.
Result<size_t> mode_bytes(const RangeOptions& options) {
  static constexpr size_t growth[] = {4096, 6144, 9216, 13824, 20736, 31104, 46656, 69984, page_bytes};
  switch (options.mode) {
    case StreamingMode::want_all:
    case StreamingMode::serial:
      return page_bytes;
    case StreamingMode::iterator: {
      if (options.iteration <= 0) return ErrorCode::client_invalid_operation;
      const size_t step = std::min(static_cast<size_t>(options.iteration), std::size(growth));
      return growth[step - 1];
    }
    case StreamingMode::exact:
      return size_t{0};
    case StreamingMode::small:
      return size_t{256};
    case StreamingMode::medium:
      return size_t{1000};
    case StreamingMode::large:
      return size_t{4096};
  }
  return ErrorCode::client_invalid_operation;
}

struct PageLimits {
  size_t rows = 0;
  size_t bytes = 0;
};

Result<PageLimits> page_limits(const RangeOptions& options) {
  if (options.limit < -1 || options.target_bytes < 0) return ErrorCode::range_limits_invalid;
  PageLimits limits;
  limits.rows = options.limit > 0 ? static_cast<size_t>(options.limit) : 0;
  if (options.mode == StreamingMode::exact && limits.rows == 0 && options.target_bytes == 0) {
    return ErrorCode::exact_mode_without_limits;
  }
  ASSIGN_OR_RETURN(limits.bytes, mode_bytes(options));
  const auto target = static_cast<size_t>(options.target_bytes);
  if (target > 0) limits.bytes = limits.bytes > 0 ? std::min(limits.bytes, target) : target;
  return limits;
}

// What a range read has looked at, as FoundationDB counts it: nothing beyond the last row of a page that has more.
void add_range_conflict(TransactionState& state, BytesView begin_base, BytesView end_base, const KeySelector& begin,
                        const KeySelector& end, const ResolvedSelector& from, const ResolvedSelector& to,
                        const RangePage& page, bool reverse) {
  const BytesView max_key = state.read_end();
  BytesView low = std::min(begin_base, end_base);
  BytesView high = std::max(begin_base, end_base);
  const size_t count = page.rows.size();
  if (page.more && begin_base < end_base) {
    if (!reverse && end.offset > 0) high = begin_base;
    if (reverse && begin.offset <= 1) low = end_base;
  }
  if (from.ran_off_begin && begin.offset <= 0) low = "";
  if (to.ran_off_end && end.offset > 1) high = max_key;
  Bytes after_last;
  if (count > 0) {
    const BytesView smallest = page.rows.key(reverse ? count - 1 : 0);
    const BytesView largest = page.rows.key(reverse ? 0 : count - 1);
    if (reverse || begin.offset <= 0) low = std::min(low, smallest);
    if (high <= largest) {
      after_last = key_after(largest);
      high = after_last;
    }
  } else if (begin.offset <= 0) {
    low = std::min(low, BytesView(from.key));
  }
  state.add_dependent_read_conflict(low, high);
}

// A range read: both selectors to keys, then the page, then what it looked at becomes a conflict range.
class RangeRead : public std::enable_shared_from_this<RangeRead> {
 public:
  RangeRead(std::shared_ptr<TransactionState> state, bool snapshot, const KeySelector& begin, const KeySelector& end,
            const RangeOptions& options, PageLimits limits)
      : state_(std::move(state)),
        on_its_way_(state_),
        snapshot_(snapshot),
        begin_(begin),
        end_(end),
        reverse_(options.reverse),
        one_pass_(options.one_pass),
        limits_(limits) {}

  Future<RangePage> run() {
    bool empty = false;
    {
      std::lock_guard lock(state_->mutex);
      if (auto error = state_->unreadable_now()) return *error;
      const BytesView max_key = state_->read_end();
      if (begin_.key > max_key || end_.key > max_key) return ErrorCode::key_outside_legal_range;
      state_->used = true;
      with_own_writes_ = state_->sees_writes(snapshot_);
      attempt_ = state_->attempt;
      begin_base_ = selector_base(begin_, max_key);
      end_base_ = selector_base(end_, max_key);
      empty = begin_base_ >= end_base_ && begin_.offset >= end_.offset;
    }
    if (empty) return RangePage{};
    return state_->version().then([self = shared_from_this()](Result<Version> version) -> Future<RangePage> {
      if (!version.ok()) return std::move(version).error();
      self->version_ = *version;
      return self->resolve_begin();
    });
  }

 private:
  Future<RangePage> resolve_begin() {
    if (begin_.offset == 1) {
      from_.key = begin_base_;
      return resolve_end();
    }
    return resolve_selector(state_, begin_, with_own_writes_, version_)
        .then([self = shared_from_this()](Result<ResolvedSelector> place) -> Future<RangePage> {
          if (!place.ok()) return std::move(place).error();
          self->from_ = std::move(*place);
          return self->resolve_end();
        });
  }

  Future<RangePage> resolve_end() {
    if (end_.offset == 1) {
      to_.key = end_base_;
      return read();
    }
    return resolve_selector(state_, end_, with_own_writes_, version_)
        .then([self = shared_from_this()](Result<ResolvedSelector> place) -> Future<RangePage> {
          if (!place.ok()) return std::move(place).error();
          self->to_ = std::move(*place);
          return self->read();
        });
  }

  Future<RangePage> read() {
    if (from_.key >= to_.key) return finish(RangePage{});
    MergedRange range{from_.key, to_.key, limits_.rows, limits_.bytes, reverse_, with_own_writes_, one_pass_};
    return read_merged_range(state_, std::move(range), version_)
        .then([self = shared_from_this()](Result<RangePage> page) -> Result<RangePage> {
          if (!page.ok()) return page;
          return self->finish(std::move(*page));
        });
  }

  Result<RangePage> finish(RangePage page) {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->stale(attempt_)) return *error;
    if (!snapshot_) {
      add_range_conflict(*state_, begin_base_, end_base_, begin_, end_, from_, to_, page, reverse_);
    }
    return page;
  }

  std::shared_ptr<TransactionState> state_;
  ReadOnItsWay on_its_way_;
  const bool snapshot_;
  const KeySelector begin_;
  const KeySelector end_;
  const bool reverse_;
  const bool one_pass_;
  const PageLimits limits_;
  bool with_own_writes_ = false;
  uint64_t attempt_ = 0;
  Version version_ = invalid_version;
  Bytes begin_base_;
  Bytes end_base_;
  ResolvedSelector from_;
  ResolvedSelector to_;
};

std::optional<Bytes> fold(const std::vector<WriteMap::Operation>& operations, std::optional<Bytes> stored,
                          size_t value_limit_bytes) {
  WriteMap::Entry entry;
  entry.pending = operations;
  const auto view = stored ? std::optional<BytesView>(*stored) : std::nullopt;
  return WriteMap::resolve(entry, view, value_limit_bytes);
}

}  // namespace

Future<std::optional<Bytes>> ReadTransaction::get(BytesView key) const {
  TransactionState& state = *state_;
  std::vector<WriteMap::Operation> pending;
  {
    std::lock_guard lock(state.mutex);
    if (auto error = state.unreadable_now()) return *error;
    if (is_special_key(key)) return get_special_key(state, key);
    if (key >= state.read_end()) return ErrorCode::key_outside_legal_range;
    state.used = true;
    if (key.size() > state.engine->limits().key_bytes) return std::optional<Bytes>();
    WriteMap::Look look{WriteMap::Sight::stored, nullptr};
    if (state.sees_writes(snapshot_) && !state.request.mutations.empty()) look = state.own_writes().look(key);
    switch (look.sight) {
      case WriteMap::Sight::known:
        if (look.entry && look.entry->known) return std::optional<Bytes>(*look.entry->known);
        return std::optional<Bytes>();
      case WriteMap::Sight::unreadable:
        if (!state.options.bypass_unreadable) return ErrorCode::accessed_unreadable;
        break;
      case WriteMap::Sight::pending:
        pending = look.entry->pending;
        break;
      case WriteMap::Sight::stored:
        break;
    }
    if (!snapshot_) state.add_read_conflict_key(key);
  }
  Future<Version> version = state.version();
  Future<std::optional<Bytes>> stored;
  if (version.is_ready()) {
    Result<Version> at = version.get();
    if (!at.ok()) return std::move(at).error();
    stored = state.engine->get(key, *at);
  } else {
    stored =
        version.then([engine = state.engine, key = Bytes(key)](Result<Version> at) -> Future<std::optional<Bytes>> {
          if (!at.ok()) return std::move(at).error();
          return engine->get(key, *at);
        });
  }
  if (pending.empty() && stored.is_ready()) return stored;
  const uint64_t attempt = state.attempt;
  auto on_its_way = std::make_shared<ReadOnItsWay>(state_);
  return stored.then([state_ptr = state_, attempt, on_its_way = std::move(on_its_way), pending = std::move(pending)](
                         Result<std::optional<Bytes>> value) -> Result<std::optional<Bytes>> {
    if (!value.ok()) return value;
    // The operands lie in the transaction's arena, which a reset or a commit takes away: hence the check.
    std::lock_guard lock(state_ptr->mutex);
    if (auto error = state_ptr->stale(attempt)) return *error;
    return fold(pending, std::move(*value), state_ptr->engine->limits().value_bytes);
  });
}

Future<Bytes> ReadTransaction::get_key(const KeySelector& selector) const {
  bool with_own_writes = false;
  uint64_t attempt = 0;
  {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->unreadable_now()) return *error;
    if (selector.key > state_->read_end()) return ErrorCode::key_outside_legal_range;
    state_->used = true;
    with_own_writes = state_->sees_writes(snapshot_);
    attempt = state_->attempt;
  }
  auto on_its_way = std::make_shared<ReadOnItsWay>(state_);
  return state_->version()
      .then(
          [state = state_, selector, with_own_writes, on_its_way](Result<Version> version) -> Future<ResolvedSelector> {
            if (!version.ok()) return std::move(version).error();
            return resolve_selector(state, selector, with_own_writes, *version);
          })
      .then([state = state_, selector, attempt, snapshot = snapshot_,
             on_its_way](Result<ResolvedSelector> place) -> Result<Bytes> {
        if (!place.ok()) return std::move(place).error();
        std::lock_guard lock(state->mutex);
        if (auto error = state->stale(attempt)) return *error;
        if (!snapshot) {
          const Bytes base = selector_base(selector, state->read_end());
          if (selector.offset <= 0) {
            state->add_dependent_read_conflict(place->key, base);
          } else {
            const Bytes end = place->ran_off_end ? Bytes(state->read_end()) : key_after(place->key);
            state->add_dependent_read_conflict(base, end);
          }
        }
        return std::move(place->key);
      });
}

Future<RangePage> ReadTransaction::get_range(const KeySelector& begin, const KeySelector& end,
                                             const RangeOptions& options) const {
  Result<PageLimits> limits = page_limits(options);
  if (!limits.ok()) return std::move(limits).error();
  if (is_special_key(begin.key) && begin.key < end.key) {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->unreadable_now()) return *error;
    return get_special_range(*state_, begin, end, limits->rows, options.reverse);
  }
  return std::make_shared<RangeRead>(state_, snapshot_, begin, end, options, *limits)->run();
}

Future<RangePage> ReadTransaction::get_range(BytesView begin, BytesView end, const RangeOptions& options) const {
  return get_range(KeySelector::first_greater_or_equal(begin), KeySelector::first_greater_or_equal(end), options);
}

Future<MappedPage> ReadTransaction::get_mapped_range(const KeySelector& begin, const KeySelector& end, BytesView mapper,
                                                     const RangeOptions& options) const {
  {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->unreadable_now()) return *error;
    if (snapshot_ || !state_->options.read_your_writes) return ErrorCode::unsupported_operation;
  }
  Result<Mapper> parsed = Mapper::parse(mapper);
  if (!parsed.ok()) return std::move(parsed).error();
  return read_mapped_range(*this, state_, begin, end, std::move(*parsed), options);
}

Future<int64_t> ReadTransaction::get_estimated_range_size_bytes(BytesView begin, BytesView end) const {
  {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->unreadable_now()) return *error;
    if (begin > state_->read_end() || end > state_->read_end()) return ErrorCode::key_outside_legal_range;
    if (begin > end) return ErrorCode::inverted_range;
  }
  return state_->engine->estimated_bytes(begin, end);
}

Future<std::vector<Bytes>> ReadTransaction::get_range_split_points(BytesView begin, BytesView end,
                                                                   int64_t chunk_bytes) const {
  {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->unreadable_now()) return *error;
    if (begin > state_->read_end() || end > state_->read_end()) return ErrorCode::key_outside_legal_range;
    if (begin > end) return ErrorCode::inverted_range;
    if (chunk_bytes <= 0) return Error(ErrorCode::invalid_argument, "chunk size must be positive");
  }
  return state_->engine->split_points(begin, end, chunk_bytes);
}

Future<Version> ReadTransaction::get_read_version() const {
  {
    std::lock_guard lock(state_->mutex);
    if (auto error = state_->unreadable_now()) return *error;
    state_->used = true;
  }
  return state_->version();
}

RangeIterator::RangeIterator(const ReadTransaction& transaction, KeySelector begin, KeySelector end,
                             RangeOptions options)
    : transaction_(transaction),
      begin_(std::move(begin)),
      end_(std::move(end)),
      options_(options),
      left_(options.limit > 0 ? options.limit : 0) {}

RangeIterator::RangeIterator(const ReadTransaction& transaction, BytesView begin, BytesView end, RangeOptions options)
    : RangeIterator(transaction, KeySelector::first_greater_or_equal(begin), KeySelector::first_greater_or_equal(end),
                    options) {}

bool RangeIterator::next() {
  if (started_ && at_ + 1 < page_.rows.size()) {
    ++at_;
    return true;
  }
  if (done_ || !status_.ok()) return false;
  return fetch();
}

bool RangeIterator::fetch() {
  if (started_) ++options_.iteration;
  started_ = true;
  if (options_.limit > 0) options_.limit = left_;
  Result<RangePage> page = transaction_.get_range(begin_, end_, options_).get();
  if (!page.ok()) {
    status_ = std::move(page).error();
    page_ = RangePage{};
    return false;
  }
  page_ = std::move(*page);
  at_ = 0;
  const size_t count = page_.rows.size();
  if (left_ > 0) {
    left_ -= static_cast<int>(count);
    if (left_ == 0) done_ = true;
  }
  if (!page_.more || count == 0) done_ = true;
  if (count == 0) return false;
  const BytesView last = page_.rows.key(count - 1);
  if (options_.reverse) {
    end_ = KeySelector::first_greater_or_equal(last);
  } else {
    begin_ = KeySelector::first_greater_than(last);
  }
  return true;
}

}  // namespace strata::kv
