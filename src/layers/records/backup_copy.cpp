#include "layers/records/backup_copy.h"

#include "layers/records/rows.h"
#include "layers/records/stored_value.h"

namespace strata::records {
namespace {

Error broken(const char* what) { return Error(ErrorCode::corruption, std::string("stored data is broken: ") + what); }

// Reads a page of the keys behind `prefix` and counts what it gives out.
class PageCopy {
 public:
  PageCopy(const kv::ReadTransaction& transaction, Bytes prefix)
      : transaction_(transaction), prefix_(std::move(prefix)) {}

  Result<void> read(BytesView from) {
    const auto end = prefix_end(prefix_);
    STRATA_ASSERT(end.has_value());
    const kv::RangeOptions options{.mode = kv::StreamingMode::exact,
                                   .target_bytes = static_cast<int>(CopiedPage::page_bytes)};
    ASSIGN_OR_RETURN(kv::RangePage rows, transaction_.get_range(from.empty() ? prefix_ : from, *end, options).get());
    page_.rows = std::make_unique<kv::RangePage>(std::move(rows));
    return {};
  }

  size_t size() const { return page_.rows->rows.size(); }
  BytesView key(size_t i) const { return page_.rows->rows.key(i).substr(prefix_.size()); }
  BytesView value(size_t i) const { return page_.rows->rows.value(i); }
  bool full() const { return bytes_ >= CopiedPage::page_bytes; }

  void add(const BackupItem& item) {
    bytes_ += item.bytes.size();
    page_.items.push_back(item);
  }
  void add(BytesView key, const StoredObject& object) { page_.objects.push_back({key, object}); }

  // The bytes of a value or column, wherever they lie.
  Result<BytesView> bytes_of(const StoredHead& head, const Bytes& chunks_key) {
    if (!head.chunked) return head.payload;
    ASSIGN_OR_RETURN(Bytes joined, read_chunks(transaction_, chunks_key, head.size));
    return BytesView(page_.joined.emplace_back(std::move(joined)));
  }

  // Goes on at row i (at the end where the page holds no more) in the next page.
  CopiedPage take(size_t i) {
    if (i < size()) {
      page_.next = Bytes(page_.rows->rows.key(i));
    } else if (page_.rows->more && size() > 0) {
      page_.next = key_after(page_.rows->rows.key(size() - 1));
    }
    return std::move(page_);
  }
  // Goes on at this key.
  CopiedPage take_until(Bytes next) {
    page_.next = std::move(next);
    return std::move(page_);
  }

 private:
  const kv::ReadTransaction& transaction_;
  const Bytes prefix_;
  CopiedPage page_;
  size_t bytes_ = 0;
};

// 'r' len row part rest
struct RowKey {
  BytesView row_key;
  char part = 0;
  BytesView rest;
};
Result<RowKey> parse_row_key(BytesView key) {
  if (key.size() < 2) return broken("a key of a row is cut off");
  const size_t length = read_be16(key);
  if (key.size() < 2 + length + 1) return broken("a key of a row is cut off");
  return RowKey{.row_key = key.substr(2, length), .part = key[2 + length], .rest = key.substr(2 + length + 1)};
}

Bytes rows_prefix(const Namespace& space) {
  Bytes prefix = row_prefix(space, "");
  prefix.resize(prefix.size() - 2);
  return prefix;
}

}  // namespace

Result<CopiedPage> copy_values(const kv::ReadTransaction& transaction, const Namespace& space, BytesView from) {
  PageCopy copy(transaction, value_key(space, ""));
  RETURN_IF_ERROR(copy.read(from));
  size_t i = 0;
  for (; i < copy.size() && !copy.full(); ++i) {
    ASSIGN_OR_RETURN(const StoredHead head, parse_stamped_head(copy.value(i)));
    const BytesView key = copy.key(i);
    ASSIGN_OR_RETURN(const BytesView bytes, copy.bytes_of(head, head.chunked ? value_chunks_key(space, key) : Bytes()));
    copy.add({.type = BackupItemType::value, .key = key, .bytes = bytes});
  }
  return copy.take(i);
}

Result<CopiedPage> copy_rows(const kv::ReadTransaction& transaction, const Namespace& space, BytesView from) {
  PageCopy copy(transaction, rows_prefix(space));
  RETURN_IF_ERROR(copy.read(from));
  BytesView row;
  bool in_row = false;
  for (size_t i = 0; i < copy.size(); ++i) {
    if (copy.full()) return copy.take(i);
    ASSIGN_OR_RETURN(const RowKey key, parse_row_key(copy.key(i)));
    const Bytes prefix = row_prefix(space, key.row_key);
    // Chunks lie behind all columns of their row: those were read with their columns, the rest of the row is passed
    // over.
    if (column_chunks_prefix(prefix).back() == key.part) {
      const auto next = prefix_end(prefix);
      STRATA_ASSERT(next.has_value());
      return copy.take_until(*next);
    }
    if (!in_row || row != key.row_key) copy.add({.type = BackupItemType::row, .key = key.row_key});
    row = key.row_key;
    in_row = true;
    if (row_marker_key(prefix).back() == key.part) continue;
    if (columns_prefix(prefix).back() != key.part) return broken("a key of a row with an unknown part");
    ASSIGN_OR_RETURN(const StoredHead head, parse_plain_head(copy.value(i)));
    ASSIGN_OR_RETURN(const BytesView bytes,
                     copy.bytes_of(head, head.chunked ? column_chunks_key(prefix, key.rest) : Bytes()));
    copy.add({.type = BackupItemType::column, .key = row, .name = key.rest, .bytes = bytes});
  }
  return copy.take(copy.size());
}

Result<CopiedPage> copy_object_heads(const kv::ReadTransaction& transaction, const Namespace& space, BytesView from) {
  PageCopy copy(transaction, object_key(space, ""));
  RETURN_IF_ERROR(copy.read(from));
  for (size_t i = 0; i < copy.size(); ++i) {
    ASSIGN_OR_RETURN(const StoredObject object, parse_object_head(copy.value(i)));
    copy.add(copy.key(i), object);
  }
  return copy.take(copy.size());
}

}  // namespace strata::records
