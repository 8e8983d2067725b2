#include "layers/records/rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "layers/records/stored_value.h"

namespace strata::records {
namespace {

// One read for the row instead of one for every column: most rows have no large column at all. It conflicts with
// writers of large columns of the same row alone.
Result<bool> has_large_columns(kv::Transaction& transaction, BytesView row) {
  return has_any(transaction, column_chunks_prefix(row));
}

// One write conflict range for all columns instead of one for each: with a row key of 8 KiB those would be two thirds
// of the transaction.
Result<void> announce_columns(kv::Transaction& transaction, BytesView row) {
  return transaction.add_write_conflict_range(columns_prefix(row), column_chunks_prefix(row));
}

void set_announced_column(kv::Transaction& transaction, BytesView row, BytesView name, BytesView value) {
  STRATA_ASSERT(transaction.set_option(kv::TransactionOption::next_write_no_write_conflict_range).ok());
  transaction.set(column_key(row, name), value);
}

void stamp_marker(kv::Transaction& transaction, BytesView row) {
  transaction.mutate(kv::MutationType::set_versionstamped_value, row_marker_key(row), stamped_head({}, false));
}

// A row that this very transaction has put exists, though its stamp cannot be read yet.
Result<bool> row_exists(kv::Transaction& transaction, BytesView row) {
  auto marker = transaction.get(row_marker_key(row)).get();
  if (marker.ok()) return marker->has_value();
  if (marker.error().code() == ErrorCode::accessed_unreadable) return true;
  return std::move(marker).error();
}

Result<Bytes> read_column(const kv::ReadTransaction& transaction, BytesView row, BytesView name, BytesView stored) {
  ASSIGN_OR_RETURN(const StoredHead head, parse_plain_head(stored));
  if (!head.chunked) return Bytes(head.payload);
  if (head.size > max_row_read_bytes) return Error(ErrorCode::corruption, "a column holds an impossible length");
  return read_chunks(transaction, column_chunks_key(row, name), head.size);
}

class RowReader {
 public:
  RowReader(const kv::ReadTransaction& transaction, Bytes row) : transaction_(transaction), row_(std::move(row)) {}

  const Bytes& row() const { return row_; }

  // False: there is no such row.
  Result<bool> read_marker() {
    ASSIGN_OR_RETURN(const auto marker, transaction_.get(row_marker_key(row_)).get());
    if (!marker) return false;
    ASSIGN_OR_RETURN(const StoredHead head, parse_stamped_head(*marker));
    read_.stamp = head.stamp;
    return true;
  }

  Result<void> add(BytesView name, BytesView stored) {
    ASSIGN_OR_RETURN(Bytes value, read_column(transaction_, row_, name, stored));
    bytes_ += name.size() + value.size();
    if (bytes_ > max_row_read_bytes) {
      return Error(ErrorCode::payload_too_large,
                   fmt::format("the row holds more than {} bytes: name the columns to read", max_row_read_bytes));
    }
    read_.columns.push_back({Bytes(name), std::move(value)});
    return {};
  }

  StoredRow take() { return std::move(read_); }

 private:
  const kv::ReadTransaction& transaction_;
  Bytes row_;
  StoredRow read_;
  size_t bytes_ = 0;
};

}  // namespace

Result<void> put_row(kv::Transaction& transaction, const Namespace& space, BytesView row_key,
                     std::span<const Column> columns) {
  const Bytes row = row_prefix(space, row_key);
  ASSIGN_OR_RETURN(bool may_have_chunks, has_large_columns(transaction, row));
  stamp_marker(transaction, row);
  RETURN_IF_ERROR(announce_columns(transaction, row));
  for (const Column& column : columns) {
    const bool chunked = column.value.size() > chunk_bytes;
    const Bytes chunks_key = chunked || may_have_chunks ? column_chunks_key(row, column.name) : Bytes();
    if (may_have_chunks) RETURN_IF_ERROR(clear_chunks(transaction, chunks_key));
    set_announced_column(transaction, row, column.name, plain_head(column.value, chunked));
    if (!chunked) continue;
    write_chunks(transaction, chunks_key, column.value);
    may_have_chunks = true;  // a column that is named twice leaves no chunks of its first value
  }
  return {};
}

Result<void> delete_row(kv::Transaction& transaction, const Namespace& space, BytesView row_key) {
  transaction.clear_prefix(row_prefix(space, row_key));
  return {};
}

Result<void> delete_columns(kv::Transaction& transaction, const Namespace& space, BytesView row_key,
                            std::span<const Column> columns) {
  const Bytes row = row_prefix(space, row_key);
  ASSIGN_OR_RETURN(const bool exists, row_exists(transaction, row));
  if (!exists) return {};
  ASSIGN_OR_RETURN(const bool may_have_chunks, has_large_columns(transaction, row));
  stamp_marker(transaction, row);
  for (const Column& column : columns) {
    if (may_have_chunks) RETURN_IF_ERROR(clear_chunks(transaction, column_chunks_key(row, column.name)));
    transaction.clear(column_key(row, column.name));
  }
  return {};
}

Result<std::optional<StoredRow>> read_row(const kv::ReadTransaction& transaction, const Namespace& space,
                                          BytesView row_key) {
  RowReader reader(transaction, row_prefix(space, row_key));
  ASSIGN_OR_RETURN(const bool exists, reader.read_marker());
  if (!exists) return std::optional<StoredRow>();
  const Bytes begin = columns_prefix(reader.row());
  const Bytes end = column_chunks_prefix(reader.row());
  kv::RangeIterator columns(transaction, begin, end, {.mode = kv::StreamingMode::want_all});
  while (columns.next()) RETURN_IF_ERROR(reader.add(columns.key().substr(begin.size()), columns.value()));
  RETURN_IF_ERROR(columns.status());
  return std::optional<StoredRow>(reader.take());
}

Result<std::optional<StoredRow>> read_row_columns(const kv::ReadTransaction& transaction, const Namespace& space,
                                                  BytesView row_key, std::span<const BytesView> names) {
  RowReader reader(transaction, row_prefix(space, row_key));
  ASSIGN_OR_RETURN(const bool exists, reader.read_marker());
  if (!exists) return std::optional<StoredRow>();
  std::vector<BytesView> wanted(names.begin(), names.end());
  // No such column was ever written, and its key might not fit the engine.
  std::erase_if(wanted, [](BytesView name) { return !validate_column(name).ok(); });
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (const BytesView name : wanted) {
    ASSIGN_OR_RETURN(const auto stored, transaction.get(column_key(reader.row(), name)).get());
    if (stored) RETURN_IF_ERROR(reader.add(name, *stored));
  }
  return std::optional<StoredRow>(reader.take());
}

}  // namespace strata::records
