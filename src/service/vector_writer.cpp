#include "service/vector_writer.h"

#include <algorithm>

#include "base/log.h"
#include "service/vector_batch.h"

namespace strata::service {
namespace {

using vectors::VectorEntity;

// Of vectors that are read anew at once.
constexpr size_t window = 256;
// What an operation costs a transaction beside its values: keys, conflict ranges, its share of the log.
constexpr size_t operation_bytes = 256;

size_t bytes_of(std::span<const VectorOperation> operations) {
  size_t bytes = 0;
  for (const VectorOperation& operation : operations) {
    bytes += operation_bytes;
    if (operation.values) bytes += operation.values->size_bytes();
    if (operation.metadata != nullptr && !operation.metadata->empty()) {
      bytes += vectors::encoded_size(*operation.metadata);
    }
  }
  return bytes;
}

uint64_t random_seed() { return read_le64(secure_random_bytes(8)); }

// What the keys hold of these vectors, as changes.
Result<std::vector<VectorChange>> read_changes(const kv::ReadTransaction& transaction,
                                               const vectors::Collection& collection, std::span<const uint64_t> ids,
                                               OwnedVectors& owned) {
  struct Reads {
    Future<std::optional<Bytes>> values;
    Future<std::optional<Bytes>> metadata;
    Future<std::optional<Bytes>> deferral;
    Future<std::optional<Bytes>> threshold;
  };
  std::vector<Reads> reads;
  for (const uint64_t id : ids) {
    const auto get = [&](VectorEntity entity) {
      return transaction.get(vectors::entity_key(collection.prefix, entity, id));
    };
    reads.push_back({get(VectorEntity::vector), get(VectorEntity::metadata), get(VectorEntity::deferred),
                     get(VectorEntity::threshold)});
  }
  std::vector<VectorChange> changes;
  for (size_t at = 0; at < ids.size(); ++at) {
    ASSIGN_OR_RETURN(const auto values, reads[at].values.get());
    ASSIGN_OR_RETURN(const auto metadata, reads[at].metadata.get());
    ASSIGN_OR_RETURN(const auto deferral, reads[at].deferral.get());
    ASSIGN_OR_RETURN(const auto threshold, reads[at].threshold.get());
    VectorChange change{.kind = VectorChange::Kind::remove, .id = ids[at]};
    if (values) {
      change.kind = VectorChange::Kind::put;
      ASSIGN_OR_RETURN(auto found, vectors::finish_values(transaction, collection, ids[at], *values));
      change.values = owned.values.emplace_back(std::move(found));
      Metadata& decoded = owned.metadata.emplace_back();
      if (metadata) {
        ASSIGN_OR_RETURN(decoded, vectors::decode_metadata(*metadata));
      }
      change.metadata = &decoded;
      if (deferral) {
        ASSIGN_OR_RETURN(change.deferral, vectors::decode_deferral(*deferral));
      }
      change.threshold = 0.0F;
      if (threshold) {
        ASSIGN_OR_RETURN(change.threshold, vectors::decode_threshold(*threshold));
      }
    }
    changes.push_back(change);
  }
  return changes;
}

}  // namespace

VectorWriter::VectorWriter(const kv::Database& database, Clock& clock, const vectors::Collection& collection,
                           VectorView& view, std::function<void()> wake)
    : database_(database),
      clock_(clock),
      collection_(collection),
      view_(view),
      wake_(std::move(wake)),
      random_(random_seed()) {}

size_t VectorWriter::max_bytes() const {
  // Half: what a transaction counts beside keys and values is less than they are.
  return std::min<size_t>(database_.engine().limits().transaction_bytes / 2, 16u << 20);
}

Result<uint64_t> VectorWriter::submit(std::span<VectorOperation> operations, kv::Durability durability) {
  const int64_t begin_us = clock_.steady_us();
  RETURN_IF_ERROR(view_.room().get());
  Request own{.operations = operations, .durability = durability, .bytes = bytes_of(operations)};
  int64_t led_us = 0;
  ASSIGN_OR_RETURN(const bool done, line_.enter(
                                        own, max_waiting, [&](const auto& waiting) { return count_batch(waiting); },
                                        [&](std::span<Request* const> batch) {
                                          led_us = clock_.steady_us();
                                          execute(batch);
                                        }));
  if (!done) return Error(ErrorCode::too_many_requests, "too many writes of this collection wait");
  counters_.blocked_us += static_cast<uint64_t>((led_us != 0 ? led_us : clock_.steady_us()) - begin_us);
  if (own.error) return *own.error;
  return own.last_lsn;
}

size_t VectorWriter::count_batch(const std::deque<Request*>& waiting) const {
  size_t count = 0;
  size_t bytes = 0;
  size_t operations = 0;
  for (const Request* next : waiting) {
    bytes += next->bytes;
    operations += next->operations.size();
    if (count != 0 && (bytes > max_bytes() || operations > vectors::max_log_entries)) break;
    ++count;
  }
  return count;
}

void VectorWriter::execute(std::span<Request* const> batch) {
  std::vector<VectorOperation*> operations;
  kv::Durability durability = kv::Durability::async;
  for (Request* request : batch) {
    for (VectorOperation& operation : request->operations) operations.push_back(&operation);
    if (request->durability != kv::Durability::async) durability = request->durability;
  }
  const size_t count = operations.size();
  VectorBatch work(collection_, std::move(operations));
  Result<void> done = database_.run([&](kv::Transaction& transaction) -> Result<void> {
    transaction.raise_size_limit_to_engine();
    transaction.set_durability(durability);
    return work.run(transaction, random_.next());
  });
  const bool is_unknown = !done.ok() && done.error().code() == ErrorCode::commit_unknown_result;
  if (done.ok()) {
    done = tell_view(work);
  } else if (is_unknown) {
    // Whatever has become of it, the view is to show what the keys hold.
    if (const Result<void> caught_up = catch_up(); !caught_up.ok()) {
      log::warning("a collection's view waits for its next write", {{"error", caught_up.error().message()}});
    }
  }
  ++counters_.commits;
  counters_.operations += count;
  size_t place = 0;
  for (Request* request : batch) {
    if (!done.ok()) request->error = done.error();
    for (size_t at = 0; at < request->operations.size() && done.ok(); ++at) {
      request->last_lsn = std::max(request->last_lsn, work.lsn_of(place++));
    }
  }
}

Result<void> VectorWriter::tell_view(const VectorBatch& batch) {
  if (!batch.changes().empty() && batch.logged() && batch.first_lsn() != view_.applied_lsn() + 1) {
    // An earlier write whose outcome nobody was told, or another server's.
    RETURN_IF_ERROR(catch_up());
  }
  // A part at a time, so that no batch makes all searches scan it as a whole.
  const std::span<const VectorChange> changes = batch.changes();
  const size_t part = std::max<size_t>(VectorView::pending_limit(collection_.options.dimension) / 2, 1);
  for (size_t at = 0; at < changes.size(); at += part) {
    RETURN_IF_ERROR(view_.room().get());
    view_.apply(changes.subspan(at, std::min(part, changes.size() - at)), 0);
    wake_();
  }
  view_.apply({}, batch.logged() ? batch.last_lsn() : 0);
  return {};
}

Result<void> VectorWriter::reconcile(std::span<const uint64_t> ids, uint64_t lsn) {
  for (size_t at = 0; at < ids.size(); at += window) {
    const auto part = ids.subspan(at, std::min(window, ids.size() - at));
    OwnedVectors owned;
    ASSIGN_OR_RETURN(const auto changes, database_.read([&](const kv::ReadTransaction& transaction) {
      owned = {};
      return read_changes(transaction, collection_, part, owned);
    }));
    RETURN_IF_ERROR(view_.room().get());
    view_.apply(changes, 0);
    wake_();
  }
  view_.apply({}, lsn);
  return {};
}

Result<void> VectorWriter::catch_up() {
  for (;;) {
    const uint64_t from = view_.applied_lsn();
    ASSIGN_OR_RETURN(const auto records, database_.read([&](const kv::ReadTransaction& transaction) {
      return vectors::read_log(transaction, collection_, from, vectors::max_log_entries);
    }));
    if (records.empty()) return {};
    std::vector<uint64_t> ids;
    for (const vectors::LogRecord& record : records) {
      for (const vectors::LogEntry& entry : record.entries) ids.push_back(entry.id);
    }
    std::ranges::sort(ids);
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    RETURN_IF_ERROR(reconcile(ids, records.back().last_lsn));
  }
}

}  // namespace strata::service
