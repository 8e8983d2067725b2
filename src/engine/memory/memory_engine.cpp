#include "engine/memory/memory_engine.h"

#include <algorithm>

#include "kv/atomic.h"

namespace strata::kv {
namespace {

constexpr Version first_version = 1'000'000;
constexpr int64_t not_superseded = INT64_MAX;

int64_t row_bytes(BytesView key, BytesView value) { return static_cast<int64_t>(key.size() + value.size() + 8); }

bool overlap(const KeyRangeView& a, const KeyRange& b) { return a.begin < b.end && b.begin < a.end; }

}  // namespace

MemoryEngine::MemoryEngine(MemoryEngineOptions options)
    : options_(std::move(options)),
      opened_us_(options_.clock->steady_us()),
      watches_(options_.limits.watches),
      random_(options_.seed),
      work_random_(options_.seed + 1) {
  publications_.push_back({first_version, {}, not_superseded});
  if (options_.answers == MemoryAnswers::on_thread) thread_ = std::thread([this] { run_thread(); });
}

MemoryEngine::~MemoryEngine() {
  {
    std::lock_guard lock(work_mutex_);
    stopping_ = true;
  }
  work_ready_.notify_all();
  if (thread_.joinable()) thread_.join();
}

template <class T>
Future<T> MemoryEngine::answer(std::function<Result<T>()> work) {
  if (options_.answers == MemoryAnswers::at_once) return work();
  auto promise = std::make_shared<Promise<T>>();
  Future<T> future = promise->future();
  {
    std::lock_guard lock(work_mutex_);
    work_.push_back([promise, work = std::move(work)] { promise->fulfil(work()); });
  }
  work_ready_.notify_one();
  return future;
}

size_t MemoryEngine::pump(size_t count) {
  size_t done = 0;
  for (; done < count; ++done) {
    std::function<void()> next;
    {
      std::lock_guard lock(work_mutex_);
      if (work_.empty()) break;
      std::swap(work_.front(), work_[work_random_.below(work_.size())]);
      next = std::move(work_.front());
      work_.pop_front();
    }
    next();
  }
  return done;
}

size_t MemoryEngine::waiting() const {
  std::lock_guard lock(work_mutex_);
  return work_.size();
}

void MemoryEngine::set_faults(const MemoryFaults& faults) {
  std::lock_guard lock(mutex_);
  options_.faults = faults;
}

void MemoryEngine::run_thread() {
  for (;;) {
    {
      std::unique_lock lock(work_mutex_);
      work_ready_.wait(lock, [this] { return stopping_ || !work_.empty(); });
      if (stopping_) return;
    }
    pump(1);
  }
}

void MemoryEngine::forget_old() {
  const int64_t horizon_us = options_.clock->steady_us() - options_.limits.read_lifetime_ms * 1'000;
  while (publications_.size() > 1 && publications_.front().superseded_us < horizon_us) publications_.pop_front();
}

// Drops the values that no readable version sees. Called so seldom that a commit pays for a constant number of keys.
void MemoryEngine::sweep() {
  const Version oldest = publications_.front().version;
  for (auto it = map_.begin(); it != map_.end();) {
    History& history = it->second;
    auto keep = history.begin();
    while (keep + 1 != history.end() && (keep + 1)->first <= oldest) ++keep;
    history.erase(history.begin(), keep);
    const bool gone = history.size() == 1 && !history.front().second && history.front().first <= oldest;
    it = gone ? map_.erase(it) : std::next(it);
  }
}

Result<void> MemoryEngine::check_readable(Version version) {
  forget_old();
  if (version < publications_.front().version) return ErrorCode::transaction_too_old;
  if (version > publications_.back().version) return ErrorCode::future_version;
  return {};
}

const std::optional<Bytes>* MemoryEngine::value_at(const History& history, Version version) const {
  for (auto it = history.rbegin(); it != history.rend(); ++it) {
    if (it->first <= version) return it->second ? &it->second : nullptr;
  }
  return nullptr;
}

std::optional<Bytes> MemoryEngine::newest_value(BytesView key) const {
  const auto it = map_.find(key);
  return it == map_.end() ? std::nullopt : it->second.back().second;
}

Future<Version> MemoryEngine::read_version() {
  return answer<Version>([this]() -> Result<Version> {
    std::lock_guard lock(mutex_);
    return publications_.back().version;
  });
}

Future<std::optional<Bytes>> MemoryEngine::get(BytesView key, Version version) {
  return answer<std::optional<Bytes>>([this, key = Bytes(key), version]() -> Result<std::optional<Bytes>> {
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(check_readable(version));
    const auto it = map_.find(key);
    const std::optional<Bytes>* value = it == map_.end() ? nullptr : value_at(it->second, version);
    return value ? *value : std::optional<Bytes>();
  });
}

Future<RangePage> MemoryEngine::range(const RangeRequest& request) {
  return answer<RangePage>(
      [this, copy = RangeRequest(request), begin = Bytes(request.begin), end = Bytes(request.end)]() {
        RangeRequest owned = copy;
        owned.begin = begin;
        owned.end = end;
        return range_now(owned);
      });
}

Result<RangePage> MemoryEngine::range_now(const RangeRequest& request) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(check_readable(request.version));
  RangePage page;
  if (request.begin >= request.end) return page;
  size_t bytes = 0;
  // True: the page is full.
  auto take = [&](const Map::value_type& entry) {
    const std::optional<Bytes>* value = value_at(entry.second, request.version);
    if (!value) return false;
    page.rows.append(entry.first, **value);
    bytes += static_cast<size_t>(row_bytes(entry.first, **value));
    page.more = (request.limit_rows != 0 && page.rows.size() >= request.limit_rows) ||
                (request.limit_bytes != 0 && bytes >= request.limit_bytes);
    return page.more;
  };
  const auto first = map_.lower_bound(request.begin);
  const auto last = map_.lower_bound(request.end);
  if (request.reverse) {
    for (auto it = last; it != first;) {
      if (take(*--it)) break;
    }
  } else {
    for (auto it = first; it != last; ++it) {
      if (take(*it)) break;
    }
  }
  return page;
}

Version MemoryEngine::next_version() const {
  const Version by_clock = first_version + (options_.clock->steady_us() - opened_us_);
  return std::max(publications_.back().version + 1, by_clock);
}

Result<void> MemoryEngine::check_conflicts(const CommitRequest& request) {
  if (request.read_conflicts.empty()) return {};
  RETURN_IF_ERROR(check_readable(request.read_version));
  bool conflict = false;
  for (uint32_t i = 0; i < request.read_conflicts.size(); ++i) {
    bool met = false;
    for (auto it = publications_.rbegin(); it != publications_.rend() && it->version > request.read_version; ++it) {
      for (const KeyRange& write : it->writes) met = met || overlap(request.read_conflicts[i], write);
    }
    if (met && request.conflicting) request.conflicting->push_back(i);
    conflict = conflict || met;
  }
  if (conflict) return ErrorCode::not_committed;
  return {};
}

void MemoryEngine::put(BytesView key, std::optional<Bytes> value, Version version) {
  auto it = map_.find(key);
  if (it == map_.end()) it = map_.emplace(Bytes(key), History()).first;
  History& history = it->second;
  if (!history.empty() && history.back().first == version) {
    history.back().second = std::move(value);
  } else {
    history.emplace_back(version, std::move(value));
  }
}

void MemoryEngine::apply(const Mutation& mutation, const Committed& committed, std::vector<KeyRange>& touched) {
  if (mutation.type == MutationType::clear_range) {
    const auto last = map_.lower_bound(mutation.value);
    for (auto it = map_.lower_bound(mutation.key); it != last && it->first < mutation.value; ++it) {
      if (it->second.back().second) put(it->first, std::nullopt, committed.version);
    }
    touched.push_back({Bytes(mutation.key), Bytes(mutation.value)});
    return;
  }
  Bytes key(mutation.key);
  std::optional<Bytes> value;
  if (mutation.type == MutationType::set) {
    value = Bytes(mutation.value);
  } else if (mutation.type == MutationType::set_versionstamped_key) {
    key = apply_versionstamp(mutation.key, make_versionstamp(committed));
    value = Bytes(mutation.value);
  } else if (mutation.type == MutationType::set_versionstamped_value) {
    value = apply_versionstamp(mutation.value, make_versionstamp(committed));
  } else if (is_atomic(mutation.type)) {
    const std::optional<Bytes> before = newest_value(key);
    value = apply_atomic(mutation.type, before ? std::optional<BytesView>(*before) : std::nullopt, mutation.value,
                         options_.limits.value_bytes);
  } else {
    STRATA_ASSERT(mutation.type == MutationType::clear);
  }
  put(key, std::move(value), committed.version);
  touched.push_back({key, key_after(key)});
}

Future<Committed> MemoryEngine::commit(CommitRequest request) {
  // std::function wants what it holds to be copyable; the arena is not.
  auto shared = std::make_shared<CommitRequest>(std::move(request));
  return answer<Committed>([this, shared] { return commit_now(*shared); });
}

Result<Committed> MemoryEngine::commit_now(const CommitRequest& request) {
  std::vector<KeyRange> touched;
  Committed committed;
  bool unknown = false;
  {
    std::lock_guard lock(mutex_);
    const MemoryFaults& faults = options_.faults;
    if (random_.fraction() < faults.transaction_too_old) return ErrorCode::transaction_too_old;
    if (random_.fraction() < faults.not_committed) return ErrorCode::not_committed;
    unknown = random_.fraction() < faults.commit_unknown_result_applied;
    if (random_.fraction() < faults.commit_unknown_result_lost) return ErrorCode::commit_unknown_result;
    RETURN_IF_ERROR(check_conflicts(request));
    committed = {next_version(), 0};
    for (const Mutation& mutation : request.mutations) apply(mutation, committed, touched);
    publications_.back().superseded_us = options_.clock->steady_us();
    Publication publication{committed.version, {}, not_superseded};
    for (const KeyRangeView& range : request.write_conflicts) {
      publication.writes.push_back({Bytes(range.begin), Bytes(range.end)});
    }
    publications_.push_back(std::move(publication));
    forget_old();
    if (++commits_since_sweep_ > map_.size() + 1'000) {
      commits_since_sweep_ = 0;
      sweep();
    }
  }
  fire_watches(touched);
  if (unknown) return ErrorCode::commit_unknown_result;
  return committed;
}

void MemoryEngine::fire_watches(const std::vector<KeyRange>& touched) {
  if (watches_.empty()) return;
  std::vector<Bytes> keys;
  for (const KeyRange& range : touched) watches_.collect(range.begin, range.end, keys);
  for (const Bytes& key : keys) {
    std::unique_lock lock(mutex_);
    const std::optional<Bytes> value = newest_value(key);
    lock.unlock();
    watches_.settle(key, value);
  }
}

Future<void> MemoryEngine::watch(BytesView key, std::optional<Bytes> value, Version version) {
  Future<void> future = watches_.add(key, std::move(value));
  std::unique_lock lock(mutex_);
  const bool newer = publications_.back().version > version;
  const std::optional<Bytes> now = newest_value(key);
  lock.unlock();
  if (newer) watches_.settle(key, now);
  return future;
}

Future<int64_t> MemoryEngine::estimated_bytes(BytesView begin, BytesView end) {
  return answer<int64_t>([this, begin = Bytes(begin), end = Bytes(end)]() -> Result<int64_t> {
    std::lock_guard lock(mutex_);
    int64_t bytes = 0;
    for (auto it = map_.lower_bound(begin); it != map_.end() && it->first < end; ++it) {
      const std::optional<Bytes>& value = it->second.back().second;
      if (value) bytes += static_cast<int64_t>(it->first.size() + value->size());
    }
    return bytes;
  });
}

Future<std::vector<Bytes>> MemoryEngine::split_points(BytesView begin, BytesView end, int64_t chunk_bytes) {
  return answer<std::vector<Bytes>>(
      [this, begin = Bytes(begin), end = Bytes(end), chunk_bytes]() -> Result<std::vector<Bytes>> {
        std::lock_guard lock(mutex_);
        std::vector<Bytes> points{begin};
        int64_t bytes = 0;
        for (auto it = map_.lower_bound(begin); it != map_.end() && it->first < end; ++it) {
          const std::optional<Bytes>& value = it->second.back().second;
          if (!value) continue;
          if (bytes >= chunk_bytes && it->first != points.back()) {
            points.push_back(it->first);
            bytes = 0;
          }
          bytes += static_cast<int64_t>(it->first.size() + value->size());
        }
        if (points.back() != end) points.push_back(end);
        return points;
      });
}

}  // namespace strata::kv
