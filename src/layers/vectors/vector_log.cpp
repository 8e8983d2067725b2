#include "layers/vectors/vector_log.h"

#include "base/assert.h"

namespace strata::vectors {
namespace {

constexpr char format = 1;
constexpr size_t header_bytes = 1 + 8;
constexpr size_t entry_bytes = 1 + 8;

Error broken() { return Error(ErrorCode::corruption, "a record of a collection's log is broken"); }

struct Range {
  Bytes begin;
  Bytes end;
};

Range behind(const Collection& collection, uint64_t after) {
  return {key_after(entity_key(collection.prefix, VectorEntity::log, after)),
          *prefix_end(entity_prefix(collection.prefix, VectorEntity::log))};
}

}  // namespace

Bytes encode_log_record(uint64_t nonce, std::span<const LogEntry> entries) {
  STRATA_ASSERT(!entries.empty() && entries.size() <= max_log_entries);
  Bytes value(1, format);
  value.reserve(header_bytes + entries.size() * entry_bytes);
  append_le64(value, nonce);
  for (const LogEntry& entry : entries) {
    value.push_back(static_cast<char>(entry.operation));
    append_le64(value, entry.id);
  }
  return value;
}

Result<LogRecord> decode_log_record(uint64_t last_lsn, BytesView stored) {
  if (stored.size() <= header_bytes || stored[0] != format || (stored.size() - header_bytes) % entry_bytes != 0) {
    return broken();
  }
  LogRecord record{.last_lsn = last_lsn, .nonce = read_le64(stored.substr(1))};
  stored.remove_prefix(header_bytes);
  record.entries.reserve(stored.size() / entry_bytes);
  for (; !stored.empty(); stored.remove_prefix(entry_bytes)) {
    const auto operation = static_cast<uint8_t>(stored[0]);
    if (operation < 1 || operation > 4) return broken();
    record.entries.push_back({static_cast<LogOperation>(operation), read_le64(stored.substr(1))});
  }
  if (record.entries.size() > last_lsn) return broken();
  return record;
}

Result<std::vector<LogRecord>> read_log(const kv::ReadTransaction& transaction, const Collection& collection,
                                        uint64_t after, size_t limit) {
  const Range range = behind(collection, after);
  std::vector<LogRecord> records;
  size_t entries = 0;
  kv::RangeIterator rows(transaction, range.begin, range.end, {.mode = kv::StreamingMode::want_all});
  while (entries < limit && rows.next()) {
    ASSIGN_OR_RETURN(const uint64_t lsn, number_of(collection.prefix, VectorEntity::log, rows.key()));
    ASSIGN_OR_RETURN(auto record, decode_log_record(lsn, rows.value()));
    entries += record.entries.size();
    records.push_back(std::move(record));
  }
  RETURN_IF_ERROR(rows.status());
  return records;
}

Result<LogSize> measure_log(const kv::ReadTransaction& transaction, const Collection& collection, uint64_t after,
                            uint64_t upto, size_t limit) {
  const Range range = behind(collection, after);
  const Bytes end = key_after(entity_key(collection.prefix, VectorEntity::log, upto));
  LogSize size{.last_lsn = after};
  if (range.begin >= end) return size;
  kv::RangeIterator rows(transaction, range.begin, end, {.mode = kv::StreamingMode::want_all});
  while (rows.next()) {
    if (size.records == limit) {
      size.more = true;
      break;
    }
    ASSIGN_OR_RETURN(const uint64_t lsn, number_of(collection.prefix, VectorEntity::log, rows.key()));
    ASSIGN_OR_RETURN(const auto record, decode_log_record(lsn, rows.value()));
    ++size.records;
    size.entries += record.entries.size();
    for (const LogEntry& entry : record.entries) size.removals += entry.operation == LogOperation::remove ? 1 : 0;
    size.bytes += rows.key().size() + rows.value().size();
    size.last_lsn = lsn;
  }
  RETURN_IF_ERROR(rows.status());
  return size;
}

void clear_log(kv::Transaction& transaction, const Collection& collection, uint64_t upto) {
  transaction.clear_range(entity_prefix(collection.prefix, VectorEntity::log),
                          key_after(entity_key(collection.prefix, VectorEntity::log, upto)));
}

Result<std::optional<ImageRow>> read_image_row(const kv::ReadTransaction& transaction, const Collection& collection) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(entity_prefix(collection.prefix, VectorEntity::image)).get());
  if (!stored) return std::optional<ImageRow>();
  if (stored->size() != 17 || (*stored)[0] != format) {
    return Error(ErrorCode::corruption, "the row of a collection's image is broken");
  }
  const BytesView bytes = *stored;
  return std::optional<ImageRow>({.lsn = read_le64(bytes.substr(1)), .image = read_le64(bytes.substr(9))});
}

void set_image_row(kv::Transaction& transaction, const Collection& collection, const ImageRow& row) {
  Bytes value(1, format);
  append_le64(value, row.lsn);
  append_le64(value, row.image);
  transaction.set(entity_prefix(collection.prefix, VectorEntity::image), value);
}

}  // namespace strata::vectors
