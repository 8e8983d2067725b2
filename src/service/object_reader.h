// ObjectReader: the bytes of one large object, or of a range of it, page by page.
//
// Purpose:       an object of any size is read with about 1 MiB of memory and no long-lived read version: each page is
//                read at a version of its own, which is the same object because chunks never change.
// Ownership:     borrows the database; its pin keeps the object's chunks until it dies.
// Thread safety: one coroutine or thread at a time.
// Invariants:    exactly the bytes of the range, or an error: a missing chunk is never passed over. An error is final.
// Errors:        gone: the namespace was removed meanwhile; corruption.
#pragma once

#include <optional>

#include "kv/database.h"
#include "layers/records/objects.h"
#include "service/object_pins.h"

namespace strata::service {

class ObjectReader {
 public:
  ObjectReader(const kv::Database& database, records::Namespace space, const records::StoredObject& object,
               ObjectPins::Pin pin);
  ObjectReader(ObjectReader&&) = default;
  ObjectReader& operator=(ObjectReader&&) = delete;

  const records::StoredObject& object() const { return object_; }
  uint64_t size() const { return object_.reference.size; }

  // What is read from now on: all of it unless this is called. first + count <= size().
  void select(uint64_t first, uint64_t count);
  // Whether the chunks are there, as far as the first page of the selection tells; it is kept for next().
  Result<void> open();
  // The next piece, empty at the end. The view lives until the next call.
  Result<BytesView> next();

 private:
  static constexpr uint32_t page_chunks = 5;

  // Asks for the page that begins at the chunk.
  void ask(uint64_t chunk);
  Result<void> take_page();
  Result<BytesView> piece();

  const kv::Database& database_;
  const records::Namespace space_;
  const records::StoredObject object_;
  const ObjectPins::Pin pin_;
  uint64_t at_ = 0;
  uint64_t end_ = 0;
  // The page being handed out: its rows, and which comes next.
  kv::RangePage page_;
  size_t row_ = 0;
  // The page behind it, asked for ahead.
  std::optional<kv::Transaction> asker_;
  std::optional<Future<kv::RangePage>> ahead_;
  uint64_t ahead_chunk_ = 0;
};

}  // namespace strata::service
