#include "service/vector_batch.h"

#include <fmt/format.h>

#include "service/vector_checks.h"

namespace strata::service {
namespace {

using vectors::LogOperation;
using vectors::VectorEntity;
using Kind = VectorOperation::Kind;

}  // namespace

VectorBatch::Reads VectorBatch::issue(const kv::Transaction& transaction, const VectorOperation& operation) const {
  Reads reads;
  if (operation.kind == Kind::insert && operation.id == 0) return reads;
  reads.values = transaction.get(vectors::entity_key(collection_.prefix, VectorEntity::vector, operation.id));
  const bool needs_metadata = operation.kind == Kind::undefer ||
                              (operation.kind == Kind::update && operation.values && operation.metadata == nullptr);
  if (needs_metadata) {
    reads.metadata = transaction.get(vectors::entity_key(collection_.prefix, VectorEntity::metadata, operation.id));
  }
  return reads;
}

// Of the attempt before, whose outcome was not told: its record of the log is there.
Result<bool> VectorBatch::came_through(const kv::Transaction& transaction) const {
  if (entries_.empty()) return false;
  const Bytes key = vectors::entity_key(collection_.prefix, VectorEntity::log, last_lsn());
  ASSIGN_OR_RETURN(const auto stored, transaction.get(key).get());
  if (!stored) return false;
  ASSIGN_OR_RETURN(const auto record, vectors::decode_log_record(last_lsn(), *stored));
  return record.nonce == nonce_;
}

Result<void> VectorBatch::run(kv::Transaction& transaction, uint64_t nonce) {
  if (transaction.unknown_since()) {
    ASSIGN_OR_RETURN(const bool written, came_through(transaction));
    if (written) return {};
  }
  nonce_ = nonce;
  entries_.clear();
  changes_.clear();
  touched_.clear();
  lsns_.assign(operations_.size(), 0);
  // Serializable: who drops the collection conflicts.
  auto row = transaction.get(vectors::collection_names.name_key(collection_.name));
  auto stored_counters = vectors::get_counters(transaction, collection_);
  std::vector<Reads> reads;
  reads.reserve(operations_.size());
  for (const VectorOperation* operation : operations_) reads.push_back(issue(transaction, *operation));

  ASSIGN_OR_RETURN(const auto found, row.get());
  if (!found || !vectors::is_row_of(collection_, *found)) return no_such_collection(collection_.name);
  ASSIGN_OR_RETURN(const auto counters, stored_counters.get());
  ASSIGN_OR_RETURN(counters_, vectors::decode_counters(counters));
  first_lsn_ = counters_.next_lsn;
  for (size_t place = 0; place < operations_.size(); ++place) {
    RETURN_IF_ERROR(decide(transaction, place, reads[place]));
  }
  if (entries_.empty()) return {};
  counters_.next_lsn = first_lsn_ + entries_.size();
  vectors::set_counters(transaction, collection_, counters_);
  transaction.set(vectors::entity_key(collection_.prefix, VectorEntity::log, last_lsn()),
                  vectors::encode_log_record(nonce_, entries_));
  return {};
}

Result<void> VectorBatch::decide(kv::Transaction& transaction, size_t place, Reads& reads) {
  VectorOperation& operation = *operations_[place];
  operation.error.reset();
  Stored stored;
  if (reads.values.valid()) {
    ASSIGN_OR_RETURN(stored, reads.values.get());
  }
  bool exists = stored.has_value();
  if (const auto touched = touched_.find(operation.id); touched != touched_.end()) exists = touched->second;
  if (operation.kind != Kind::insert && !exists) {
    operation.error = no_such_vector(operation.id);
    return {};
  }
  const size_t before = entries_.size();
  switch (operation.kind) {
    case Kind::insert:
      if (operation.id != 0 && exists) {
        operation.error = Error(ErrorCode::already_exists, fmt::format("vector id {} already exists", operation.id));
        return {};
      }
      RETURN_IF_ERROR(insert(transaction, operation));
      break;
    case Kind::update:
      RETURN_IF_ERROR(update(transaction, operation, reads));
      break;
    case Kind::remove:
      remove(transaction, operation);
      break;
    case Kind::threshold:
      vectors::set_threshold(transaction, collection_, operation.id, operation.threshold);
      changes_.push_back({.kind = VectorChange::Kind::threshold, .id = operation.id, .threshold = operation.threshold});
      log(LogOperation::threshold, operation.id);
      break;
    case Kind::undefer:
      RETURN_IF_ERROR(undefer(transaction, operation, stored, reads));
      break;
  }
  if (entries_.size() > before) lsns_[place] = first_lsn_ + before;
  return {};
}

Result<void> VectorBatch::insert(kv::Transaction& transaction, VectorOperation& operation) {
  const uint64_t most = collection_.options.max_vectors;
  if (most != 0 && counters_.count >= most) {
    operation.error =
        Error(ErrorCode::invalid_argument, fmt::format("the collection is full: max_vectors is {}", most));
    return {};
  }
  uint64_t id = operation.id;
  if (id == 0) {
    if (counters_.next_id == 0) {
      operation.error = Error(ErrorCode::invalid_argument, "the largest id is given: ids must be given from now on");
      return {};
    }
    id = counters_.next_id;
  }
  // Behind the largest there is none: 0.
  if (counters_.next_id != 0 && id >= counters_.next_id) counters_.next_id = id + 1;
  operation.assigned_id = id;
  ++counters_.count;
  static const Metadata none;
  const Metadata* metadata = operation.metadata == nullptr ? &none : operation.metadata;
  vectors::set_values(transaction, collection_, id, *operation.values);
  if (!metadata->empty()) vectors::set_metadata(transaction, collection_, id, *metadata);
  if (operation.deferral.any()) vectors::set_deferral(transaction, collection_, id, operation.deferral);
  touched_[id] = true;
  changes_.push_back({.kind = VectorChange::Kind::put,
                      .id = id,
                      .values = *operation.values,
                      .metadata = metadata,
                      .deferral = operation.deferral,
                      .ef_construction = operation.ef_construction});
  log(LogOperation::insert, id);
  return {};
}

Result<void> VectorBatch::update(kv::Transaction& transaction, VectorOperation& operation, Reads& reads) {
  const uint64_t id = operation.id;
  VectorChange change{.id = id, .metadata = operation.metadata};
  if (operation.metadata != nullptr) vectors::set_metadata(transaction, collection_, id, *operation.metadata);
  if (!operation.values) {
    change.kind = VectorChange::Kind::metadata;
  } else {
    change.kind = VectorChange::Kind::values;
    change.values = *operation.values;
    vectors::set_values(transaction, collection_, id, *operation.values);
    if (operation.metadata == nullptr) {
      Stored stored;
      if (touched_.contains(id)) {
        ASSIGN_OR_RETURN(stored,
                         transaction.get(vectors::entity_key(collection_.prefix, VectorEntity::metadata, id)).get());
      } else {
        ASSIGN_OR_RETURN(stored, reads.metadata.get());
      }
      Metadata& metadata = owned_.metadata.emplace_back();
      if (stored) {
        ASSIGN_OR_RETURN(metadata, vectors::decode_metadata(*stored));
      }
      change.metadata = &metadata;
    }
  }
  touched_[id] = true;
  changes_.push_back(change);
  log(LogOperation::update, id);
  return {};
}

void VectorBatch::remove(kv::Transaction& transaction, const VectorOperation& operation) {
  vectors::clear_vector(transaction, collection_, operation.id);
  --counters_.count;
  touched_[operation.id] = false;
  changes_.push_back({.kind = VectorChange::Kind::remove, .id = operation.id});
  log(LogOperation::remove, operation.id);
}

// Nothing that a client has written changes: no LSN.
Result<void> VectorBatch::undefer(kv::Transaction& transaction, const VectorOperation& operation, const Stored& stored,
                                  Reads& reads) {
  // What the batch itself has just written is not what was deferred when it was asked for: the next pass finds it.
  if (touched_.contains(operation.id)) return {};
  ASSIGN_OR_RETURN(const auto metadata, reads.metadata.get());
  ASSIGN_OR_RETURN(auto values, vectors::finish_values(transaction, collection_, operation.id, *stored));
  Metadata& decoded = owned_.metadata.emplace_back();
  if (metadata) {
    ASSIGN_OR_RETURN(decoded, vectors::decode_metadata(*metadata));
  }
  vectors::set_deferral(transaction, collection_, operation.id, {});
  changes_.push_back({.kind = VectorChange::Kind::undefer,
                      .id = operation.id,
                      .values = owned_.values.emplace_back(std::move(values)),
                      .metadata = &decoded});
  return {};
}

void VectorBatch::log(LogOperation operation, uint64_t id) { entries_.push_back({operation, id}); }

}  // namespace strata::service
