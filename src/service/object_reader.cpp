#include "service/object_reader.h"

#include <algorithm>

namespace strata::service {

ObjectReader::ObjectReader(const kv::Database& database, records::Namespace space, const records::StoredObject& object,
                           ObjectPins::Pin pin)
    : database_(database),
      space_(std::move(space)),
      object_(object),
      pin_(std::move(pin)),
      end_(object.reference.size) {}

void ObjectReader::select(uint64_t first, uint64_t count) {
  STRATA_ASSERT(first <= size() && count <= size() - first);
  at_ = first;
  end_ = first + count;
  page_ = {};
  row_ = 0;
  ahead_.reset();
}

void ObjectReader::ask(uint64_t chunk) {
  const uint64_t last = (end_ - 1) / object_.chunk_bytes;
  const uint64_t count = std::min<uint64_t>(page_chunks, last - chunk + 1);
  asker_.emplace(database_.create_transaction());
  ahead_chunk_ = chunk;
  ahead_.emplace(asker_->snapshot().get_range(
      records::object_chunk_key(space_, object_.reference.id, static_cast<uint32_t>(chunk)),
      key_after(records::object_chunk_key(space_, object_.reference.id, static_cast<uint32_t>(chunk + count - 1))),
      {.limit = static_cast<int>(count), .mode = kv::StreamingMode::exact}));
}

Result<void> ObjectReader::take_page() {
  const uint64_t chunk = at_ / object_.chunk_bytes;
  if (!ahead_ || ahead_chunk_ != chunk) ask(chunk);
  for (;;) {
    Result<kv::RangePage> page = ahead_->get();
    ahead_.reset();
    if (page.ok()) {
      page_ = *std::move(page);
      row_ = 0;
      break;
    }
    RETURN_IF_ERROR(asker_->on_error(page.error()).get());
    ask(chunk);
  }
  if (page_.rows.empty()) return Error(ErrorCode::gone, "the object is no longer there");
  const uint64_t next = chunk + page_.rows.size();
  if (next * object_.chunk_bytes < end_) ask(next);
  return {};
}

Result<void> ObjectReader::open() {
  if (at_ == end_ || row_ < page_.rows.size()) return {};
  return take_page();
}

Result<BytesView> ObjectReader::piece() {
  const uint64_t chunk = at_ / object_.chunk_bytes;
  const uint64_t begin = chunk * object_.chunk_bytes;
  const BytesView key = page_.rows.key(row_);
  const BytesView value = page_.rows.value(row_);
  const bool next_in_line = read_be32(key.substr(key.size() - 4)) == chunk;
  if (!next_in_line || value.size() != std::min<uint64_t>(object_.chunk_bytes, size() - begin)) {
    return Error(ErrorCode::corruption, "a chunk of an object is missing or has the wrong size");
  }
  ++row_;
  const uint64_t from = at_ - begin;
  const uint64_t to = std::min<uint64_t>(value.size(), end_ - begin);
  at_ = begin + to;
  return value.substr(from, to - from);
}

Result<BytesView> ObjectReader::next() {
  if (at_ == end_) return BytesView();
  if (row_ >= page_.rows.size()) RETURN_IF_ERROR(take_page());
  return piece();
}

}  // namespace strata::service
