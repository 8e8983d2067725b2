#include "service/log.h"

#include "base/log.h"
#include "base/random.h"
#include "service/run.h"

namespace strata::service {
namespace {

using records::LogSegment;

// 10,000 namespaces in use: their tails are about 10 MB.
constexpr size_t max_tails = 10'000;

}  // namespace

Log::Log(const kv::Database& database, LogSignal& signal, const LogOptions& options)
    : shared_{.database = database, .signal = signal, .options = options, .counters = {}},
      pins_(std::make_shared<Pins>()) {}

Log::~Log() { stop(); }

Result<void> Log::open() {
  const Bytes random = secure_random_bytes(records::store_id_bytes);
  ASSIGN_OR_RETURN(store_id_, run_transaction(shared_.database, {}, *shared_.options.clock, shared_.options.durability,
                                              [&](kv::Transaction& transaction) {
                                                return records::ensure_store_id(transaction, random);
                                              }));
  if (shared_.options.pass_interval_us > 0) thread_ = std::thread([this] { loop(); });
  return {};
}

std::shared_ptr<LogTail> Log::known_tail(std::string_view name_space) const {
  std::lock_guard lock(tails_mutex_);
  const auto found = tails_.find(std::string(name_space));
  return found == tails_.end() ? nullptr : found->second;
}

std::shared_ptr<LogTail> Log::tail_of(const std::string& name, const records::Namespace& space) {
  std::lock_guard lock(tails_mutex_);
  auto& tail = tails_[name];
  if (!tail || tail->space().id != space.id) tail = std::make_shared<LogTail>(shared_, name, space);
  std::shared_ptr<LogTail> kept = tail;
  // What a reader or a pass uses stays; another comes back with a read of its checkpoint.
  if (tails_.size() > max_tails) std::erase_if(tails_, [](const auto& entry) { return entry.second.use_count() == 1; });
  return kept;
}

void Log::forget_tail(const LogTail& tail) {
  {
    std::lock_guard lock(tails_mutex_);
    const auto found = tails_.find(tail.name());
    if (found != tails_.end() && found->second.get() == &tail) tails_.erase(found);
  }
  {
    std::lock_guard lock(pins_->mutex);
    pins_->first.erase(tail.space().id);
  }
  shared_.signal.forget(tail.space().id);
}

Result<std::shared_ptr<LogTail>> Log::find_tail(const Context& context, std::string_view name_space) {
  if (std::shared_ptr<LogTail> tail = known_tail(name_space)) {
    const Result<LogEnd> advanced = tail->advance(context);
    if (advanced.ok()) return tail;
    if (advanced.error().code() != ErrorCode::not_found) return advanced.error();
    forget_tail(*tail);
  }
  ASSIGN_OR_RETURN(const auto space, run_transaction(shared_.database, context, *shared_.options.clock,
                                                     shared_.options.durability, [&](kv::Transaction& transaction) {
                                                       return records::find_namespace(transaction.snapshot(),
                                                                                      name_space);
                                                     }));
  if (!space) return no_such_namespace(name_space);
  std::shared_ptr<LogTail> tail = tail_of(std::string(name_space), *space);
  RETURN_IF_ERROR(tail->advance(context));
  return tail;
}

Result<LogStatus> Log::status(const Context& context, std::string_view name_space) {
  ASSIGN_OR_RETURN(const auto tail, find_tail(context, name_space));
  LogStatus status{.log_id = log_id(tail->space()), .end = tail->end(), .checkpoint = {}};
  ASSIGN_OR_RETURN(status.checkpoint, run_transaction(shared_.database, context, *shared_.options.clock,
                                                      shared_.options.durability, [&](kv::Transaction& transaction) {
                                                        return read_log_checkpoint(transaction.snapshot(),
                                                                                   tail->space());
                                                      }));
  if (shared_.options.durability != kv::Durability::async) {
    status.durable_operations = status.end.totals.operations;
    status.durable_us = status.end.record_us;
  } else if (status.checkpoint) {
    status.durable_operations = status.checkpoint->totals.operations;
    status.durable_us = status.checkpoint->record_us;
  }
  return status;
}

Result<LogReader> Log::read(const Context& context, const ReadLogRequest& request) {
  ASSIGN_OR_RETURN(auto tail, find_tail(context, request.name_space));
  if (!request.log_id.empty() && request.log_id != log_id(tail->space())) {
    return Error(ErrorCode::gone, "the namespace has another log now: " + log_id(tail->space()));
  }
  LogReader reader(shared_, std::move(tail));
  RETURN_IF_ERROR(reader.seek(context, request.after));
  return reader;
}

Result<NamespaceList> Log::list_namespaces(const Context& context, std::string_view after, size_t limit) {
  ASSIGN_OR_RETURN(auto found, run_transaction(shared_.database, context, *shared_.options.clock,
                                               shared_.options.durability, [&](kv::Transaction& transaction) {
                                                 return records::list_namespaces(transaction.snapshot(), after,
                                                                                 limit + 1);
                                               }));
  NamespaceList list;
  list.more = found.size() > limit;
  if (list.more) found.pop_back();
  for (auto& entry : found) list.entries.push_back({std::move(entry.name), log_id(entry.space)});
  return list;
}

Result<uint64_t> Log::seal(const Context& context, std::string_view name_space) {
  ASSIGN_OR_RETURN(const auto tail, find_tail(context, name_space));
  const records::Namespace& space = tail->space();
  ASSIGN_OR_RETURN(const uint64_t sealed,
                   run_transaction(shared_.database, context, *shared_.options.clock, shared_.options.durability,
                                   [&](kv::Transaction& transaction) -> Result<uint64_t> {
                                     RETURN_IF_ERROR(require_namespace(transaction, tail->name(), space));
                                     // Serializable: nobody opens a segment at the same time.
                                     ASSIGN_OR_RETURN(const auto last, read_last_log_segment(transaction, space));
                                     if (!last) return uint64_t{0};
                                     Stamp no_end;
                                     no_end.fill('\xFF');
                                     ASSIGN_OR_RETURN(
                                         const auto page,
                                         read_log_page(transaction.snapshot(), space,
                                                       {.after = last->after, .last = no_end, .max_records = 1}));
                                     if (page.records.empty()) return last->number - 1;
                                     write_log_seal(transaction, space, last->number + 1, shared_.options.segment_bytes,
                                                    shared_.options.clock->wall_us());
                                     return last->number;
                                   }));
  ASSIGN_OR_RETURN(const LogEnd end, tail->advance(context));
  static_cast<void>(end);
  return sealed;
}

Result<std::vector<SealedSegment>> Log::sealed_segments(const Context& context, std::string_view name_space,
                                                        uint64_t after, size_t limit) {
  ASSIGN_OR_RETURN(const auto tail, find_tail(context, name_space));
  const uint64_t active = tail->end().active;
  ASSIGN_OR_RETURN(const auto segments,
                   run_transaction(shared_.database, context, *shared_.options.clock, shared_.options.durability,
                                   [&](kv::Transaction& transaction) -> Result<std::vector<LogSegment>> {
                                     const kv::ReadTransaction snapshot = transaction.snapshot();
                                     RETURN_IF_ERROR(require_namespace(snapshot, tail->name(), tail->space()));
                                     // No number is so large that there is one behind it.
                                     if (after >= active) return std::vector<LogSegment>();
                                     return read_log_segments(snapshot, tail->space(), after + 1, limit + 1);
                                   }));
  std::vector<SealedSegment> sealed;
  for (size_t i = 0; i + 1 < segments.size(); ++i) {
    const LogSegment& segment = segments[i];
    const LogSegment& next = segments[i + 1];
    if (next.number > active) break;
    sealed.push_back({.number = segment.number,
                      .after = segment.after,
                      .last = next.after,
                      .first_lsn = segment.before.records + 1,
                      .records = next.before.records - segment.before.records,
                      .bytes = next.before.bytes - segment.before.bytes,
                      .weight = next.before.weight - segment.before.weight});
  }
  return sealed;
}

Result<void> Log::make_durable(const Context& context, std::string_view name_space) {
  if (shared_.options.durability != kv::Durability::async) return {};
  ASSIGN_OR_RETURN(const auto tail, find_tail(context, name_space));
  const records::LogCheckpoint end = checkpoint_at(tail->end());
  return run_transaction(shared_.database, context, *shared_.options.clock, kv::Durability::sync,
                         [&](kv::Transaction& transaction) -> Result<void> {
                           RETURN_IF_ERROR(require_namespace(transaction, tail->name(), tail->space()));
                           ASSIGN_OR_RETURN(const auto there, read_log_checkpoint(transaction, tail->space()));
                           // Written also where it says nothing new: only a commit that writes is synced.
                           const bool is_newer = there && there->totals.records > end.totals.records;
                           write_log_checkpoint(transaction, tail->space(), is_newer ? *there : end);
                           return {};
                         });
}

Result<LogPin> Log::pin(const Context& context, std::string_view name_space, LogPosition from) {
  const Error gone(ErrorCode::gone, "what follows the position is no longer kept");
  ASSIGN_OR_RETURN(const auto tail, find_tail(context, name_space));
  const int64_t id = tail->space().id;
  ASSIGN_OR_RETURN(const uint64_t segment, segment_behind(context, *tail, from));
  {
    std::lock_guard lock(pins_->mutex);
    const auto first = pins_->first.find(id);
    if (first != pins_->first.end() && segment < first->second) return gone;
    pins_->pinned[id].insert(segment);
  }
  LogPin pin(pins_.get(), [pins = pins_, id, segment](void*) {
    std::lock_guard lock(pins->mutex);
    auto& pinned = pins->pinned[id];
    pinned.erase(pinned.find(segment));
    if (pinned.empty()) pins->pinned.erase(id);
  });
  ASSIGN_OR_RETURN(const auto first, run_transaction(shared_.database, context, *shared_.options.clock,
                                                     shared_.options.durability, [&](kv::Transaction& transaction) {
                                                       return read_log_segments(transaction.snapshot(), tail->space(),
                                                                                0, 1);
                                                     }));
  if (!first.empty() && first[0].number > segment) return gone;
  return pin;
}

// Of a segment that was read to its end nothing is needed: it may be gone, or never have been there, as in a log that
// begins behind a backup.
Result<uint64_t> Log::segment_behind(const Context& context, const LogTail& tail, LogPosition position) const {
  if (position.segment == 0) return uint64_t{1};
  ASSIGN_OR_RETURN(const auto next, run_transaction(shared_.database, context, *shared_.options.clock,
                                                    shared_.options.durability, [&](kv::Transaction& transaction) {
                                                      return read_log_segment(transaction.snapshot(), tail.space(),
                                                                              position.segment + 1);
                                                    }));
  const bool at_its_end = next && next->totals_known && next->previous_bytes == position.offset;
  return at_its_end ? next->number : position.segment;
}

}  // namespace strata::service
