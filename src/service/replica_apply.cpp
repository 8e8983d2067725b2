#include "service/replica_apply.h"

#include <fmt/format.h>

#include "layers/records/apply.h"

namespace strata::service {
namespace {

using records::FollowRow;

template <class Body>
auto run(const ReplicaStore& store, Body body) -> std::invoke_result_t<Body&, kv::Transaction&> {
  using Answer = std::invoke_result_t<Body&, kv::Transaction&>;
  return store.database.run([&](kv::Transaction& transaction) -> Answer {
    transaction.raise_size_limit_to_engine();
    transaction.set_durability(store.durability);
    return body(transaction);
  });
}

// The records that come next, and no others.
Result<void> check_order(const FollowRow& row, std::span<const LeaderRecord> records) {
  uint64_t lsn = row.lsn;
  records::LogPosition position = row.position;
  for (const LeaderRecord& record : records) {
    if (record.lsn != lsn + 1 || record.position <= position) {
      return Error(ErrorCode::corruption, fmt::format("the leader sent record {} at {}:{} behind record {} at {}:{}",
                                                      record.lsn, record.position.segment, record.position.offset, lsn,
                                                      position.segment, position.offset));
    }
    lsn = record.lsn;
    position = record.position;
  }
  return {};
}

// Of records [first, end) of the batch.
std::span<const records::Operation> operations_of(const LeaderBatch& batch, size_t first, size_t end) {
  const size_t begin = batch.records[first].first_operation;
  const size_t stop = end < batch.records.size() ? batch.records[end].first_operation : batch.operations.size();
  return std::span(batch.operations).subspan(begin, stop - begin);
}

FollowRow row_behind(const FollowRow& row, const LeaderBatch& batch, size_t first, size_t end) {
  const LeaderRecord& last = batch.records[end - 1];
  return {.log_id = row.log_id,
          .position = last.position,
          .lsn = last.lsn,
          .stamp = last.stamp,
          .before = end - first > 1 ? batch.records[end - 2].position : row.position,
          .wall_us = last.wall_us};
}

Result<void> apply_range(const ReplicaStore& store, std::string_view name, FollowedNamespace& followed,
                         const LeaderBatch& batch, size_t first, size_t end) {
  const FollowRow next = row_behind(followed.row, batch, first, end);
  const auto operations = operations_of(batch, first, end);
  const Result<void> applied = run(store, [&](kv::Transaction& transaction) -> Result<void> {
    ASSIGN_OR_RETURN(const auto space, records::find_namespace(transaction, name));
    if (space != followed.space) return Error(ErrorCode::not_found, "the namespace was replaced meanwhile");
    ASSIGN_OR_RETURN(const auto row, records::read_follow_row(transaction, *space));
    // A commit whose answer was lost, tried again.
    if (row == next) return {};
    if (row != followed.row) return Error(ErrorCode::internal, "somebody else moves the follower's row");
    RETURN_IF_ERROR(records::apply(transaction, *space, operations, store.clock.wall_us()));
    records::write_follow_row(transaction, *space, next);
    return {};
  });
  if (!applied.ok() && applied.error().code() == ErrorCode::transaction_too_large && end - first > 1) {
    const size_t middle = first + (end - first) / 2;
    RETURN_IF_ERROR(apply_range(store, name, followed, batch, first, middle));
    return apply_range(store, name, followed, batch, middle, end);
  }
  RETURN_IF_ERROR(applied);
  followed.row = next;
  return {};
}

}  // namespace

Result<std::optional<FollowedNamespace>> find_followed(const ReplicaStore& store, std::string_view name) {
  using Found = std::optional<FollowedNamespace>;
  return store.database.read([&](const kv::ReadTransaction& transaction) -> Result<Found> {
    ASSIGN_OR_RETURN(auto space, records::find_namespace(transaction, name));
    if (!space) return Found();
    ASSIGN_OR_RETURN(auto row, records::read_follow_row(transaction, *space));
    if (!row) return Found();
    return Found({*std::move(space), *std::move(row)});
  });
}

Result<void> apply_leader_batch(const ReplicaStore& store, std::string_view name, FollowedNamespace& followed,
                                const LeaderBatch& batch) {
  if (batch.empty()) return {};
  RETURN_IF_ERROR(check_order(followed.row, batch.records));
  return apply_range(store, name, followed, batch, 0, batch.records.size());
}

Result<bool> remove_followed(const ReplicaStore& store, std::string_view name) {
  return run(store, [&](kv::Transaction& transaction) -> Result<bool> {
    ASSIGN_OR_RETURN(const bool removed, records::remove_namespace(transaction, name));
    if (name != records::default_namespace) return removed;
    ASSIGN_OR_RETURN(const auto made, records::ensure_namespace(transaction, name, store.clock.wall_us()));
    return !made.created;
  });
}

}  // namespace strata::service
