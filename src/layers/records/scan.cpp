#include "layers/records/scan.h"

#include <algorithm>

#include "layers/records/stored_value.h"

namespace strata::records {

Result<ValuePage> scan_values(const kv::ReadTransaction& transaction, const Namespace& space,
                              const ScanOptions& options) {
  const Bytes prefix = value_key(space, options.prefix);
  Bytes begin = prefix;
  if (options.after) begin = std::max(begin, key_after(value_key(space, *options.after)));
  const Bytes end = *prefix_end(prefix);
  const size_t entity_bytes = value_key(space, {}).size();
  ValuePage page;
  if (begin >= end) return page;
  size_t bytes = 0;
  kv::RangeIterator range(transaction, begin, end,
                          {.limit = static_cast<int>(options.limit) + 1, .mode = kv::StreamingMode::want_all});
  while (range.next()) {
    if (page.values.size() == options.limit || bytes >= max_scan_bytes) {
      page.more = true;
      return page;
    }
    ScannedValue& scanned = page.values.emplace_back();
    scanned.key = range.key().substr(entity_bytes);
    ASSIGN_OR_RETURN(const StoredHead head, parse_stamped_head(range.value()));
    scanned.stamp = head.stamp;
    if (!options.keys_only && !head.chunked) scanned.value = head.payload;
    if (!options.keys_only && head.chunked) {
      ASSIGN_OR_RETURN(scanned.value, read_chunks(transaction, value_chunks_key(space, scanned.key), head.size));
    }
    bytes += scanned.key.size() + scanned.value.size();
  }
  RETURN_IF_ERROR(range.status());
  return page;
}

Result<RowPage> scan_rows(const kv::ReadTransaction& transaction, const Namespace& space, const ScanOptions& options) {
  const Bytes prefix = all_rows_prefix(space);
  const Bytes end = *prefix_end(prefix);
  // The first key of a row is its marker; behind it a row begins where this one's prefix ends.
  Bytes position = options.after ? *prefix_end(row_prefix(space, *options.after)) : prefix;
  RowPage page;
  size_t bytes = 0;
  for (;;) {
    ASSIGN_OR_RETURN(const kv::RangePage next, transaction.get_range(position, end, {.limit = 1}).get());
    if (next.rows.empty()) return page;
    if (page.rows.size() == options.limit || bytes >= max_scan_bytes) {
      page.more = true;
      return page;
    }
    ASSIGN_OR_RETURN(const BytesView key, row_key_of(space, next.rows.key(0)));
    ScannedRow& scanned = page.rows.emplace_back();
    scanned.key = key;
    auto row = options.keys_only ? read_row_columns(transaction, space, key, {}) : read_row(transaction, space, key);
    if (!row.ok()) return std::move(row).error();
    if (!*row) return Error(ErrorCode::corruption, "a row has columns and no marker: " + printable(key));
    scanned.row = **std::move(row);
    bytes += key.size();
    for (const auto& column : scanned.row.columns) bytes += column.name.size() + column.value.size();
    position = *prefix_end(row_prefix(space, key));
  }
}

}  // namespace strata::records
