#include "service/namespace_loader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "layers/records/apply.h"
#include "layers/records/log_segments.h"
#include "layers/records/namespaces.h"
#include "layers/records/objects.h"
#include "service/run.h"

namespace strata::service {
namespace {

using records::BackupItem;
using records::BackupItemType;
using records::object_chunk_bytes;
using records::Operation;
using records::OperationType;

// So many chunks are written by one transaction.
constexpr size_t chunks_bytes = 16 * object_chunk_bytes;

Error damaged(const char* what) { return {ErrorCode::corruption, std::string("the backup is damaged: ") + what}; }

}  // namespace

Result<std::unique_ptr<NamespaceLoader>> NamespaceLoader::begin(const kv::Database& database,
                                                                const LoaderOptions& options) {
  ASSIGN_OR_RETURN(
      records::Namespace space,
      run_transaction(database, {}, *options.clock, kv::Durability::async, [&](kv::Transaction& transaction) {
        return records::begin_hidden_namespace(transaction, options.clock->wall_us());
      }));
  return std::unique_ptr<NamespaceLoader>(new NamespaceLoader(database, options, std::move(space)));
}

NamespaceLoader::NamespaceLoader(const kv::Database& database, const LoaderOptions& options, records::Namespace space)
    : database_(database), options_(options), space_(std::move(space)) {}

NamespaceLoader::~NamespaceLoader() {
  if (revealed_) return;
  const auto dropped = run_transaction(
      database_, {}, *options_.clock, kv::Durability::async,
      [&](kv::Transaction& transaction) { return records::drop_hidden_namespace(transaction, space_); });
  if (!dropped.ok()) {
    log::warning("an unfinished namespace stays until the next start", {{"error", dropped.error().message()}});
  }
}

Operation& NamespaceLoader::add(OperationType type, BytesView key) {
  batch_bytes_ += key.size() + 64;
  return operations_.emplace_back(Operation{.type = type, .key = arena_.copy(key)});
}

Result<void> NamespaceLoader::make_room() {
  if (batch_bytes_ < options_.batch_bytes && operations_.size() < options_.batch_operations) return {};
  return flush();
}

Result<void> NamespaceLoader::flush() {
  if (operations_.empty()) return {};
  RETURN_IF_ERROR(run_transaction(
      database_, {}, *options_.clock, kv::Durability::async,
      [&](kv::Transaction& transaction) { return records::apply_unlogged(transaction, space_, operations_); }));
  operations_.clear();
  arena_ = Arena();
  batch_bytes_ = 0;
  return {};
}

Result<void> NamespaceLoader::put(const BackupItem& item) {
  RETURN_IF_ERROR(make_room());
  if (item.type == BackupItemType::value) {
    add(OperationType::put_value, item.key).value = arena_.copy(item.bytes);
    batch_bytes_ += item.bytes.size();
    return {};
  }
  const bool same_row =
      !operations_.empty() && operations_.back().type == OperationType::put_row && operations_.back().key == item.key;
  Operation& row = same_row ? operations_.back() : add(OperationType::put_row, item.key);
  if (item.type == BackupItemType::column) {
    row.columns.push_back({arena_.copy(item.name), arena_.copy(item.bytes)});
    batch_bytes_ += item.name.size() + item.bytes.size() + 64;
  }
  return {};
}

Result<void> NamespaceLoader::begin_object(const records::BackupObject& object) {
  object_ = object.reference;
  object_key_.assign(object.key);
  checksum_ = Crc32();
  object_left_ = object_.size;
  next_chunk_ = 0;
  return object_left_ == 0 ? end_object() : Result<void>();
}

Result<void> NamespaceLoader::add_object_bytes(BytesView bytes) {
  STRATA_ASSERT(bytes.size() <= object_left_);
  checksum_.update(bytes);
  object_left_ -= bytes.size();
  while (!bytes.empty()) {
    const BytesView piece = bytes.substr(0, chunks_bytes - chunks_.size());
    chunks_.append(piece);
    bytes.remove_prefix(piece.size());
    if (chunks_.size() == chunks_bytes) RETURN_IF_ERROR(flush_chunks());
  }
  return object_left_ == 0 ? end_object() : Result<void>();
}

Result<void> NamespaceLoader::flush_chunks() {
  if (chunks_.empty()) return {};
  RETURN_IF_ERROR(run_transaction(database_, {}, *options_.clock, kv::Durability::async,
                                  [&](kv::Transaction& transaction) -> Result<void> {
                                    uint32_t index = next_chunk_;
                                    for (BytesView rest = chunks_; !rest.empty(); ++index) {
                                      const BytesView chunk = rest.substr(0, object_chunk_bytes);
                                      transaction.set(records::object_chunk_key(space_, object_.id, index), chunk);
                                      rest.remove_prefix(chunk.size());
                                    }
                                    return {};
                                  }));
  next_chunk_ += static_cast<uint32_t>((chunks_.size() + object_chunk_bytes - 1) / object_chunk_bytes);
  chunks_.clear();
  return {};
}

Result<void> NamespaceLoader::end_object() {
  RETURN_IF_ERROR(flush_chunks());
  if (checksum_.value() != object_.checksum) return damaged("an object has another checksum than stands with it");
  // The object of a record is put by the record's operation.
  if (object_key_.empty()) return {};
  RETURN_IF_ERROR(make_room());
  add(OperationType::put_object, object_key_).object = object_;
  return {};
}

Result<void> NamespaceLoader::add_record(const records::BackupPlace&, BytesView bytes, const records::LogRecord&) {
  // The objects that the record puts come behind it: until the next item nothing of the batch is written.
  RETURN_IF_ERROR(batch_bytes_ + bytes.size() > options_.batch_bytes ? flush() : make_room());
  ASSIGN_OR_RETURN(records::LogRecord record, records::decode_log_record(arena_.copy(bytes)));
  batch_bytes_ += bytes.size();
  for (Operation& operation : record.operations) operations_.push_back(std::move(operation));
  return {};
}

Result<records::Namespace> NamespaceLoader::reveal(const Reveal& reveal) {
  STRATA_ASSERT(!revealed_ && object_left_ == 0);
  RETURN_IF_ERROR(flush());
  std::optional<records::Namespace> before;
  RETURN_IF_ERROR(run_transaction(
      database_, {}, *options_.clock, kv::Durability::sync, [&](kv::Transaction& transaction) -> Result<void> {
        const int64_t now_us = options_.clock->wall_us();
        ASSIGN_OR_RETURN(const auto there, records::find_namespace(transaction, reveal.name));
        // Tried again after an answer was lost: it has happened.
        if (there && *there == space_) return {};
        if (!reveal.replace) {
          bool empty = true;
          if (there) {
            ASSIGN_OR_RETURN(empty, records::is_empty(transaction, *there));
          }
          if (!empty) {
            return Error(ErrorCode::already_exists, fmt::format("the namespace {} holds data already", reveal.name));
          }
        }
        ASSIGN_OR_RETURN(before, records::reveal_namespace(transaction, space_, reveal.name, now_us));
        if (reveal.place.lsn > 0) {
          // Behind everything that was loaded, as a seal: what is put from now on is newer than this.
          records::write_stamped_log_segment(transaction, space_,
                                             {.number = reveal.place.segment + 1,
                                              .limit_bytes = options_.segment_bytes,
                                              .opened_us = now_us,
                                              .totals_known = true,
                                              .before = {.records = reveal.place.lsn},
                                              .previous_bytes = reveal.place.offset});
        }
        return reveal.also ? reveal.also(transaction, space_) : Result<void>();
      }));
  revealed_ = true;
  if (options_.signal != nullptr) {
    if (before) options_.signal->notify(before->id);
    options_.signal->notify(space_.id);
  }
  return space_;
}

Result<size_t> drop_unfinished_namespaces(const kv::Database& database) {
  ASSIGN_OR_RETURN(const auto found, database.read([](const kv::ReadTransaction& transaction) {
    return records::list_hidden_namespaces(transaction);
  }));
  for (const records::Namespace& space : found) {
    RETURN_IF_ERROR(
        database.run([&](kv::Transaction& transaction) { return records::drop_hidden_namespace(transaction, space); }));
  }
  return found.size();
}

}  // namespace strata::service
