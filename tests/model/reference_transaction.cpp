#include "model/reference_transaction.h"

#include <algorithm>

namespace strata::model {
namespace {

constexpr size_t key_limit_bytes = 10'000;
constexpr size_t default_size_limit_bytes = 10'000'000;

bool stamp_fits(const Bytes& operand) {
  if (operand.size() < 4) return false;
  return uint64_t{read_le32(BytesView(operand).substr(operand.size() - 4))} + 14 <= operand.size();
}

bool is_retryable(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_committed:
    case ErrorCode::transaction_too_old:
    case ErrorCode::future_version:
    case ErrorCode::commit_unknown_result:
    case ErrorCode::process_behind:
    case ErrorCode::database_locked:
    case ErrorCode::commit_proxy_memory_limit_exceeded:
    case ErrorCode::batch_transaction_throttled:
    case ErrorCode::grv_proxy_memory_limit_exceeded:
    case ErrorCode::tag_throttled:
      return true;
    default:
      return false;
  }
}

// Where others have written since, a read may have to pass keys that only this commit will know. It passed none then,
// and answered what does not depend on them: that is no difference.
template <class T>
bool is_same(const Result<T>& now, const T& then) {
  return now.ok() ? *now == then : now.error().code() == ErrorCode::accessed_unreadable;
}

}  // namespace

Result<PageLimits> page_limits(const kv::RangeOptions& options) {
  if (options.limit < -1 || options.target_bytes < 0) return ErrorCode::range_limits_invalid;
  PageLimits limits;
  limits.rows = options.limit > 0 ? static_cast<size_t>(options.limit) : 0;
  switch (options.mode) {
    case kv::StreamingMode::exact:
      if (limits.rows == 0 && options.target_bytes == 0) return ErrorCode::exact_mode_without_limits;
      break;
    case kv::StreamingMode::small:
      limits.bytes = 256;
      break;
    case kv::StreamingMode::medium:
      limits.bytes = 1000;
      break;
    case kv::StreamingMode::large:
      limits.bytes = 4096;
      break;
    case kv::StreamingMode::serial:
    case kv::StreamingMode::want_all:
      limits.bytes = 80'000;
      break;
    case kv::StreamingMode::iterator:
      if (options.iteration < 1) return ErrorCode::client_invalid_operation;
      limits.bytes = 4096;
      for (int i = 1; i < options.iteration && limits.bytes < 80'000; ++i) limits.bytes = limits.bytes * 3 / 2;
      limits.bytes = std::min<size_t>(limits.bytes, 80'000);
      break;
    default:
      return ErrorCode::client_invalid_operation;
  }
  const auto target = static_cast<size_t>(options.target_bytes);
  if (target > 0 && (limits.bytes == 0 || target < limits.bytes)) limits.bytes = target;
  return limits;
}

ReferenceTransaction::ReferenceTransaction(ReferenceStore& store, const Clock& clock)
    : store_(store), clock_(clock), started_us_(clock.steady_us()) {}

std::optional<ErrorCode> ReferenceTransaction::unusable() const {
  if (phase_ == Phase::cancelled) return ErrorCode::transaction_cancelled;
  if (timeout_ms_ > 0 && clock_.steady_us() - started_us_ >= timeout_ms_ * 1000) {
    return ErrorCode::transaction_timed_out;
  }
  if (phase_ != Phase::active) return ErrorCode::used_during_commit;
  return std::nullopt;
}

std::optional<ErrorCode> ReferenceTransaction::unreadable() const {
  const auto error = unusable();
  return error ? error : deferred_;
}

Result<void> ReferenceTransaction::fix_version() {
  if (bad_version_) return *bad_version_;
  if (!read_index_) read_index_ = store_.newest();
  return {};
}

View ReferenceTransaction::view(bool snapshot) const {
  static const Map nothing;
  const Map& stored = read_index_ ? *store_.at(*read_index_).after : nothing;
  return View(stored, writes_.data(), sees_writes(snapshot) ? writes_.size() : 0);
}

void ReferenceTransaction::may_conflict_with(const Bytes& begin, const Bytes& end) {
  for (const View::Piece& piece : view(false).pieces(begin, end)) {
    if (piece.sight != View::Sight::known) may_.push_back(piece.range);
  }
}

// What only the commit knows cannot have been read: a conflict there may be found, or not.
void ReferenceTransaction::must_conflict_with(const Bytes& begin, const Bytes& end) {
  for (const View::Piece& piece : view(false).pieces(begin, end)) {
    if (piece.sight == View::Sight::stored) must_.push_back(piece.range);
  }
  may_conflict_with(begin, end);
}

void ReferenceTransaction::remember(std::string what, std::function<bool(const View&)> same) {
  reads_.push_back({std::move(what), read_your_writes_ ? writes_.size() : 0, std::move(same)});
}

Result<std::optional<Bytes>> ReferenceTransaction::get(const Bytes& key, bool snapshot) {
  if (const auto error = unreadable()) return *error;
  if (key >= end_of_keys) return ErrorCode::key_outside_legal_range;
  used_ = true;
  if (key.size() > key_limit_bytes) return std::optional<Bytes>();
  const View::Sight sight = view(snapshot).sight_of(key);
  if (sight == View::Sight::unreadable) return ErrorCode::accessed_unreadable;
  if (sight == View::Sight::known) return view(snapshot).get(key);
  if (!snapshot) must_conflict_with(key, key_after(key));
  RETURN_IF_ERROR(fix_version());
  auto value = view(snapshot).get(key);
  if (!snapshot) {
    remember("get " + printable(key, 40), [key, was = value.value()](const View& now) {
      const auto is = now.get(key);
      return is_same(is, was);
    });
  }
  return value;
}

Result<Bytes> ReferenceTransaction::get_key(const KeySelector& selector, bool snapshot) {
  if (const auto error = unreadable()) return *error;
  if (selector.key > end_of_keys) return ErrorCode::key_outside_legal_range;
  used_ = has_walked_ = true;
  RETURN_IF_ERROR(fix_version());
  const auto key = view(snapshot).get_key(selector);
  if (!key.ok() || snapshot) return key;
  const Bytes base = base_of(selector);
  if (selector.offset > 0) {
    may_conflict_with(base, *key == end_of_keys ? end_of_keys : key_after(*key));
  } else {
    may_conflict_with(*key, base);
  }
  remember("get_key " + printable(selector.key, 40), [selector, was = *key](const View& now) {
    const auto is = now.get_key(selector);
    return is_same(is, was);
  });
  return key;
}

// All that the read could have looked at. Where both ends are plain keys, nothing behind the last row of a full page.
void ReferenceTransaction::range_may_conflict(const KeySelector& begin, const KeySelector& end, bool reverse,
                                              const Page& page) {
  Bytes low = std::min(base_of(begin), base_of(end));
  Bytes high = std::max(base_of(begin), base_of(end));
  if (begin.offset == 1 && end.offset == 1) {
    if (page.more && reverse) low = page.rows.back().first;
    if (page.more && !reverse) high = key_after(page.rows.back().first);
    return may_conflict_with(low, high);
  }
  for (const KeySelector* selector : {&begin, &end}) {
    const auto key = view(false).get_key(*selector);
    if (!key.ok()) continue;
    low = std::min(low, *key);
    high = std::max(high, *key == end_of_keys ? end_of_keys : key_after(*key));
  }
  may_conflict_with(low, high);
}

Result<Page> ReferenceTransaction::get_range(const KeySelector& begin, const KeySelector& end,
                                             const kv::RangeOptions& options, bool snapshot) {
  ASSIGN_OR_RETURN(const PageLimits limits, page_limits(options));
  if (const auto error = unreadable()) return *error;
  if (begin.key > end_of_keys || end.key > end_of_keys) return ErrorCode::key_outside_legal_range;
  used_ = has_walked_ = true;
  if (base_of(begin) >= base_of(end) && begin.offset >= end.offset) return Page{};
  RETURN_IF_ERROR(fix_version());
  const bool reverse = options.reverse;
  const auto page = view(snapshot).get_range(begin, end, limits.rows, limits.bytes, reverse);
  if (!page.ok() || snapshot) return page;
  range_may_conflict(begin, end, reverse, *page);
  remember("get_range " + printable(begin.key, 40) + " " + printable(end.key, 40),
           [begin, end, limits, reverse, was = *page](const View& now) {
             const auto is = now.get_range(begin, end, limits.rows, limits.bytes, reverse);
             return is_same(is, was);
           });
  return page;
}

Result<size_t> ReferenceTransaction::get_read_version() {
  if (const auto error = unreadable()) return *error;
  used_ = true;
  RETURN_IF_ERROR(fix_version());
  return *read_index_;
}

Result<std::optional<Bytes>> ReferenceTransaction::watch(const Bytes& key) {
  if (const auto error = unreadable()) return *error;
  if (key >= end_of_keys) return ErrorCode::key_outside_legal_range;
  if (key.size() > key_limit_bytes) return ErrorCode::key_too_large;
  if (!read_your_writes_) return ErrorCode::watches_disabled;
  auto value = get(key, false);
  if (value.ok()) {
    must_.push_back({key, key_after(key)});
    may_.push_back({key, key_after(key)});
  }
  return value;
}

Result<void> ReferenceTransaction::check_range(const Bytes& begin, const Bytes& end) const {
  if (const auto error = unreadable()) return *error;
  if (begin > end_of_keys || end > end_of_keys) return ErrorCode::key_outside_legal_range;
  if (begin > end) return ErrorCode::inverted_range;
  return {};
}

std::optional<ErrorCode> ReferenceTransaction::refusal(MutationType type, const Bytes& key, const Bytes& value) const {
  if (type == MutationType::clear_range) {
    if (key > end_of_keys || value > end_of_keys) return ErrorCode::key_outside_legal_range;
    if (key > value) return ErrorCode::inverted_range;
    return std::nullopt;
  }
  const bool stamped_key = type == MutationType::set_versionstamped_key;
  const bool stamped_value = type == MutationType::set_versionstamped_value;
  if ((stamped_key && !stamp_fits(key)) || (stamped_value && !stamp_fits(value))) {
    return ErrorCode::client_invalid_operation;
  }
  const Bytes plain_key = stamped_key ? key.substr(0, key.size() - 4) : key;
  if (plain_key >= end_of_keys) return ErrorCode::key_outside_legal_range;
  if (plain_key.size() > key_limit_bytes && type != MutationType::clear) return ErrorCode::key_too_large;
  if (value.size() - (stamped_value ? 4 : 0) > value_limit_bytes) return ErrorCode::value_too_large;
  return std::nullopt;
}

void ReferenceTransaction::write(MutationType type, const Bytes& key, const Bytes& value) {
  if (unusable()) return;
  if (const auto error = refusal(type, key, value)) return refuse_write(*error);
  used_ = true;
  if (type == MutationType::clear_range && key == value) return;
  if (type == MutationType::clear && key.size() > key_limit_bytes) return;
  writes_.push_back({type, key, value});
  written_bytes_ += key.size() + value.size();
  if (std::exchange(hide_next_write_, false)) {
    hides_writes_ = true;
  } else {
    write_conflicts_.push_back(touched_by(writes_.back()));
  }
}

void ReferenceTransaction::refuse_write(ErrorCode code) {
  if (!unusable() && !deferred_) deferred_ = code;
}

Result<void> ReferenceTransaction::add_read_conflict(const Bytes& begin, const Bytes& end) {
  if (const auto error = unusable()) return *error;
  if (begin > end_of_keys || end > end_of_keys) return ErrorCode::key_outside_legal_range;
  if (begin > end) return ErrorCode::inverted_range;
  used_ = true;
  must_conflict_with(begin, end);
  return {};
}

Result<void> ReferenceTransaction::add_write_conflict(const Bytes& begin, const Bytes& end) {
  if (const auto error = unusable()) return *error;
  if (begin > end_of_keys || end > end_of_keys) return ErrorCode::key_outside_legal_range;
  if (begin > end) return ErrorCode::inverted_range;
  used_ = true;
  if (begin < end) write_conflicts_.push_back({begin, end});
  return {};
}

Result<void> ReferenceTransaction::set_read_version(std::optional<size_t> index, ErrorCode bad) {
  if (const auto error = unusable()) return *error;
  if (read_index_ || bad_version_) return ErrorCode::read_version_already_set;
  if (index) {
    read_index_ = index;
  } else {
    bad_version_ = bad;
  }
  return {};
}

void ReferenceTransaction::disable_read_your_writes() {
  if (used_) {
    if (!deferred_) deferred_ = ErrorCode::client_invalid_operation;
  } else {
    read_your_writes_ = false;
  }
}

bool ReferenceTransaction::met_by_newer_write(const KeyRange& range) const {
  if (!read_index_) return false;
  for (size_t i = *read_index_ + 1; i <= store_.newest(); ++i) {
    for (const KeyRange& write : store_.at(i).writes) {
      if (intersect(range, write)) return true;
    }
  }
  return false;
}

CommitVerdict ReferenceTransaction::judge() {
  CommitVerdict verdict;
  verdict.error = unreadable();
  if (verdict.error) return verdict;
  // The exact cost of a write is the engine's affair; its bytes are the least of it.
  if (written_bytes_ > (size_limit_bytes_ > 0 ? size_limit_bytes_ : default_size_limit_bytes)) {
    verdict.error = ErrorCode::transaction_too_large;
    return verdict;
  }
  verdict.read_only = writes_.empty() && write_conflicts_.empty();
  if (verdict.read_only || may_.empty()) return verdict;
  if (bad_version_) {
    verdict.error = bad_version_;
    return verdict;
  }
  const auto met = [this](const KeyRange& range) { return met_by_newer_write(range); };
  verdict.must_conflict = std::any_of(must_.begin(), must_.end(), met);
  verdict.may_conflict = std::any_of(may_.begin(), may_.end(), met);
  if (verdict.must_conflict || !read_index_) return verdict;
  for (size_t i = *read_index_ + 1; i <= store_.newest(); ++i) {
    // A write without a conflict range is there to pass unseen.
    if (store_.at(i).hides_writes) return verdict;
  }
  for (const Read& read : reads_) {
    if (read.comes_out_the_same(View(store_.state(), writes_.data(), read.writes_seen))) continue;
    verdict.must_conflict = true;
    verdict.why = read.what;
    return verdict;
  }
  return verdict;
}

void ReferenceTransaction::finish_commit(bool committed, bool read_only, kv::Version version, const Bytes& stamp) {
  phase_ = committed ? Phase::committed : Phase::sent;
  if (!committed || read_only) return;
  Map after = store_.state();
  for (const Write& write : writes_) apply(after, write, stamp);
  store_.add(version, write_conflicts_, hides_writes_, std::move(after));
}

void ReferenceTransaction::start_attempt() {
  phase_ = Phase::active;
  deferred_.reset();
  used_ = has_walked_ = false;
  read_index_.reset();
  bad_version_.reset();
  writes_.clear();
  write_conflicts_.clear();
  hides_writes_ = false;
  must_.clear();
  may_.clear();
  reads_.clear();
  read_your_writes_ = true;
  snapshot_read_your_writes_ = 1;
  hide_next_write_ = false;
  size_limit_bytes_ = 0;
  written_bytes_ = 0;
}

void ReferenceTransaction::reset() {
  timeout_ms_ = 0;
  retry_limit_ = -1;
  retries_ = 0;
  started_us_ = clock_.steady_us();
  start_attempt();
}

void ReferenceTransaction::cancel() {
  start_attempt();
  phase_ = Phase::cancelled;
}

Result<void> ReferenceTransaction::on_error(ErrorCode code) {
  const auto error = unusable();
  if (error == ErrorCode::transaction_cancelled || error == ErrorCode::transaction_timed_out) return *error;
  const bool exhausted = retry_limit_ >= 0 && retries_ >= retry_limit_;
  if (!is_retryable(code) || exhausted) {
    cancel();
    return code;
  }
  ++retries_;
  start_attempt();
  return {};
}

}  // namespace strata::model
