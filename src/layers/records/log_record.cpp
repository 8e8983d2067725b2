#include "layers/records/log_record.h"

#include <xxhash.h>

#include <algorithm>

#include "layers/records/stored_value.h"

namespace strata::records {
namespace {

constexpr char format = 1;
// format, length of the whole record, wall clock
constexpr size_t header_bytes = 1 + 4 + 8;
constexpr size_t checksum_bytes = 8;

Error broken(const char* what) { return Error(ErrorCode::corruption, std::string("a log record is broken: ") + what); }

void append_sized(Bytes& out, BytesView bytes) {
  append_varint(out, bytes.size());
  out.append(bytes);
}

uint64_t checksum(BytesView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

size_t encoded_limit(std::span<const Operation> operations) {
  constexpr size_t varint_limit = 5;
  constexpr size_t object_limit = object_id_bytes + 10 + 4;
  size_t bytes = header_bytes + varint_limit + checksum_bytes;
  for (const Operation& operation : operations) {
    bytes += 1 + 3 * varint_limit + object_limit + operation.key.size() + operation.value.size();
    for (const Column& column : operation.columns) bytes += 2 * varint_limit + column.name.size() + column.value.size();
  }
  return bytes;
}

void append_operation(Bytes& out, const Operation& operation) {
  out.push_back(static_cast<char>(operation.type));
  append_sized(out, operation.key);
  switch (operation.type) {
    case OperationType::put_value:
      append_sized(out, operation.value);
      break;
    case OperationType::put_row:
      append_varint(out, operation.columns.size());
      for (const Column& column : operation.columns) {
        append_sized(out, column.name);
        append_sized(out, column.value);
      }
      break;
    case OperationType::delete_columns:
      append_varint(out, operation.columns.size());
      for (const Column& column : operation.columns) append_sized(out, column.name);
      break;
    case OperationType::put_object:
      out.append(operation.object.id.data(), object_id_bytes);
      append_varint(out, operation.object.size);
      append_le32(out, operation.object.checksum);
      break;
    case OperationType::delete_value:
    case OperationType::delete_row:
    case OperationType::delete_object:
      break;
  }
}

// Takes fields off the front; after a failure every further take fails too, so that one check at the end is enough
// where nothing depends on a value before.
class Cursor {
 public:
  explicit Cursor(BytesView bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }

  uint8_t take_byte() {
    if (rest_.empty()) return fail();
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }

  // At most 5 bytes, those of an object's size 7.
  uint64_t take_varint(int max_bytes = 5) {
    if (failed_) return 0;
    const auto value = strata::take_varint(rest_, max_bytes);
    return value ? *value : fail();
  }

  BytesView take_sized() { return take(take_varint()); }

  // Empty when there are not that many.
  BytesView take(uint64_t size) {
    if (failed_ || size > rest_.size()) {
      fail();
      return {};
    }
    const BytesView bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

 private:
  uint8_t fail() {
    failed_ = true;
    rest_ = {};
    return 0;
  }

  BytesView rest_;
  bool failed_ = false;
};

Result<std::vector<Column>> take_columns(Cursor& cursor, bool with_values) {
  const uint64_t count = cursor.take_varint();
  // A column takes two or three bytes at least: a count beyond that is a lie, and nothing is reserved for it.
  if (cursor.failed() || count > cursor.left() / (with_values ? 3 : 2)) return broken("columns are cut off");
  std::vector<Column> columns(count);
  for (Column& column : columns) {
    column.name = cursor.take_sized();
    if (with_values) column.value = cursor.take_sized();
  }
  return columns;
}

ObjectReference take_object(Cursor& cursor) {
  constexpr int size_varint_bytes = 7;
  ObjectReference object;
  const BytesView id = cursor.take(object_id_bytes);
  std::copy_n(id.begin(), id.size(), object.id.begin());
  object.size = cursor.take_varint(size_varint_bytes);
  if (const BytesView checksum = cursor.take(4); !checksum.empty()) object.checksum = read_le32(checksum);
  return object;
}

Result<Operation> take_operation(Cursor& cursor) {
  Operation operation{
      .type = static_cast<OperationType>(cursor.take_byte()), .key = cursor.take_sized(), .columns = {}};
  switch (operation.type) {
    case OperationType::put_value:
      operation.value = cursor.take_sized();
      break;
    case OperationType::put_row:
    case OperationType::delete_columns: {
      ASSIGN_OR_RETURN(operation.columns, take_columns(cursor, operation.type == OperationType::put_row));
      break;
    }
    case OperationType::put_object:
      operation.object = take_object(cursor);
      break;
    case OperationType::delete_value:
    case OperationType::delete_row:
    case OperationType::delete_object:
      break;
    default:
      return broken("an unknown operation");
  }
  if (cursor.failed()) return broken("an operation is cut off");
  if (!validate(operation).ok()) return broken("an operation that no request can ask for");
  return operation;
}

Result<void> check_header(BytesView bytes) {
  if (bytes.size() < header_bytes + checksum_bytes) return broken("shorter than its header");
  if (bytes[0] != format) return broken("unknown format");
  if (read_le32(bytes.substr(1)) != bytes.size()) return broken("its length is not the one it says");
  return {};
}

}  // namespace

Bytes encode_log_record(int64_t wall_us, std::span<const Operation> operations) {
  Bytes out;
  out.reserve(encoded_limit(operations));
  out.push_back(format);
  append_le32(out, 0);
  append_le64(out, static_cast<uint64_t>(wall_us));
  append_varint(out, operations.size());
  for (const Operation& operation : operations) append_operation(out, operation);
  const size_t size = out.size() + checksum_bytes;
  STRATA_ASSERT(size <= UINT32_MAX);
  Bytes size_field;
  append_le32(size_field, static_cast<uint32_t>(size));
  out.replace(1, size_field.size(), size_field);
  append_le64(out, checksum(out));
  return out;
}

Result<LogRecord> decode_log_record(BytesView bytes) {
  RETURN_IF_ERROR(check_header(bytes));
  const BytesView checked = bytes.substr(0, bytes.size() - checksum_bytes);
  if (read_le64(bytes.substr(checked.size())) != checksum(checked)) return broken("wrong checksum");
  LogRecord record{.wall_us = static_cast<int64_t>(read_le64(bytes.substr(5))), .operations = {}};
  Cursor cursor(checked.substr(header_bytes));
  const uint64_t count = cursor.take_varint();
  // An operation takes three bytes at least.
  if (cursor.failed() || count > cursor.left() / 3) return broken("operations are cut off");
  record.operations.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(Operation operation, take_operation(cursor));
    record.operations.push_back(std::move(operation));
  }
  if (!cursor.at_end()) return broken("bytes behind the last operation");
  return record;
}

Result<LogRecordSummary> summarize_log_record(BytesView bytes) {
  RETURN_IF_ERROR(check_header(bytes));
  Cursor cursor(bytes.substr(header_bytes, bytes.size() - header_bytes - checksum_bytes));
  LogRecordSummary summary{.wall_us = static_cast<int64_t>(read_le64(bytes.substr(5))),
                           .operations = cursor.take_varint(),
                           .weight = bytes.size()};
  if (cursor.failed()) return broken("operations are cut off");
  for (uint64_t i = 0; i < summary.operations; ++i) {
    ASSIGN_OR_RETURN(const Operation operation, take_operation(cursor));
    summary.weight += operation.object.size;
  }
  return summary;
}

void append_to_log(kv::Transaction& transaction, const Namespace& space, int64_t wall_us,
                   std::span<const Operation> operations) {
  const Bytes record = encode_log_record(wall_us, operations);
  const auto stamp_offset = static_cast<uint32_t>(log_prefix(space).size());
  BytesView rest = record;
  for (uint16_t part = 0; !rest.empty(); ++part) {
    STRATA_ASSERT(part < UINT16_MAX);
    Stamp placeholder;
    placeholder.fill('\xFF');
    Bytes key = log_key(space, placeholder, part);
    append_le32(key, stamp_offset);
    // Nobody but the reader of the log reads these keys, and each is new: a conflict range would only cost.
    STRATA_ASSERT(transaction.set_option(kv::TransactionOption::next_write_no_write_conflict_range).ok());
    transaction.mutate(kv::MutationType::set_versionstamped_key, key, rest.substr(0, chunk_bytes));
    rest.remove_prefix(std::min(rest.size(), chunk_bytes));
  }
}

Result<std::vector<StoredLogRecord>> read_log(const kv::ReadTransaction& transaction, const Namespace& space,
                                              const Stamp* after, size_t limit) {
  const Bytes begin = after ? key_after(log_key(space, *after, UINT16_MAX)) : log_prefix(space);
  const auto end = prefix_end(log_prefix(space));
  STRATA_ASSERT(end.has_value());
  std::vector<StoredLogRecord> records;
  size_t missing = 0;  // bytes of the last record that are still to come
  uint16_t next_part = 0;
  kv::RangeIterator parts(transaction, begin, *end, {.mode = kv::StreamingMode::want_all});
  while ((missing > 0 || records.size() < limit) && parts.next()) {
    ASSIGN_OR_RETURN(const LogKey key, parse_log_key(space, parts.key()));
    const BytesView bytes = parts.value();
    if (missing == 0) {
      if (key.part != 0 || bytes.size() < header_bytes) return broken("its first part is missing");
      records.push_back({key.stamp, {}});
      missing = read_le32(bytes.substr(1));
      next_part = 0;
    }
    if (key.stamp != records.back().stamp || key.part != next_part++ || bytes.size() > missing || bytes.empty()) {
      return broken("a part is missing");
    }
    records.back().bytes.append(bytes);
    missing -= bytes.size();
  }
  RETURN_IF_ERROR(parts.status());
  if (missing > 0) return broken("its last part is missing");
  return records;
}

Result<LogSearch> find_in_log(const kv::ReadTransaction& transaction, const Namespace& space, kv::Version after,
                              BytesView record, const LogSearchLimits& limits) {
  Stamp behind;
  behind.fill('\xFF');
  Bytes version;
  append_be64(version, static_cast<uint64_t>(after));
  std::copy(version.begin(), version.end(), behind.begin());
  const auto end = prefix_end(log_prefix(space));
  STRATA_ASSERT(end.has_value());
  // Part by part, so that no record has to fit into memory. Its first part holds its length: whoever begins alike and
  // goes on alike ends alike.
  BytesView rest;
  bool is_alike = false;
  size_t parts = 0;
  size_t bytes = 0;
  kv::RangeIterator found(transaction, key_after(log_key(space, behind, UINT16_MAX)), *end,
                          {.mode = kv::StreamingMode::iterator});
  while (found.next()) {
    ASSIGN_OR_RETURN(const LogKey key, parse_log_key(space, found.key()));
    if (key.part == 0) {
      rest = record;
      is_alike = true;
    }
    is_alike = is_alike && found.value() == rest.substr(0, chunk_bytes);
    if (is_alike) {
      rest.remove_prefix(found.value().size());
      if (rest.empty()) return LogSearch{InLog::yes, key.stamp};
      continue;
    }
    bytes += found.value().size();
    if (++parts >= limits.parts || bytes >= limits.bytes) return LogSearch{.found = InLog::not_known};
  }
  RETURN_IF_ERROR(found.status());
  return LogSearch{};
}

}  // namespace strata::records
