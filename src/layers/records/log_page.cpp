#include "layers/records/log_page.h"

#include <algorithm>

namespace strata::records {
namespace {

// format, length of the whole record
constexpr size_t length_offset = 1;
constexpr size_t least_part_bytes = length_offset + 4;

Error broken(const char* what) { return Error(ErrorCode::corruption, std::string("a log record is broken: ") + what); }

// Appends the parts of the record whose first part is `first`, from the second one on.
Result<void> join_parts(const kv::ReadTransaction& transaction, const Namespace& space, const Stamp& stamp, size_t size,
                        Bytes& record) {
  kv::RangeIterator parts(transaction, log_key(space, stamp, 1), key_after(log_key(space, stamp, UINT16_MAX)),
                          {.mode = kv::StreamingMode::want_all});
  for (uint16_t next = 1; record.size() < size; ++next) {
    if (!parts.next()) {
      RETURN_IF_ERROR(parts.status());
      return broken("its last part is missing");
    }
    ASSIGN_OR_RETURN(const LogKey key, parse_log_key(space, parts.key()));
    if (key.part != next || parts.value().empty() || parts.value().size() > size - record.size()) {
      return broken("a part is missing");
    }
    record.append(parts.value());
  }
  return {};
}

}  // namespace

Result<LogPage> read_log_page(const kv::ReadTransaction& transaction, const Namespace& space,
                              const LogPageRequest& request) {
  LogPage page;
  const Bytes begin = key_after(log_key(space, request.after, UINT16_MAX));
  const Bytes end = key_after(log_key(space, request.last, UINT16_MAX));
  if (begin >= end) return page;
  kv::RangeOptions options{.mode = kv::StreamingMode::exact};
  options.target_bytes = static_cast<int>(std::min<size_t>(request.max_bytes, 64u << 20));
  if (request.max_records > 0) options.limit = static_cast<int>(std::min<size_t>(request.max_records, INT32_MAX));
  ASSIGN_OR_RETURN(kv::RangePage rows, transaction.get_range(begin, end, options).get());
  page.rows = std::make_unique<kv::RangePage>(std::move(rows));
  page.more = page.rows->more;
  const kv::Rows& parts = page.rows->rows;
  page.records.reserve(parts.size());
  for (size_t i = 0; i < parts.size();) {
    ASSIGN_OR_RETURN(const LogKey key, parse_log_key(space, parts.key(i)));
    const BytesView first = parts.value(i);
    if (key.part != 0 || first.size() < least_part_bytes) return broken("its first part is missing");
    const size_t size = read_le32(first.substr(length_offset));
    if (first.size() > size) return broken("a part is missing");
    ++i;
    if (first.size() == size) {
      page.records.push_back({key.stamp, first});
      continue;
    }
    // Read anew rather than put together from this page: a page may end inside of a record.
    Bytes& record = page.joined.emplace_back(first);
    RETURN_IF_ERROR(join_parts(transaction, space, key.stamp, size, record));
    page.records.push_back({key.stamp, record});
    while (i < parts.size() && parse_log_key(space, parts.key(i)).ok() &&
           parse_log_key(space, parts.key(i))->stamp == key.stamp) {
      ++i;
    }
  }
  return page;
}

}  // namespace strata::records
