// ObjectWriter: a large object on its way into the store.
//
// Purpose:       takes bytes in pieces of any size, writes them in chunks by transactions that overlap, and computes
//                the checksum. Nobody sees the object before a commit refers to it (Objects::commit).
// Ownership:     borrows the database and shares what its Objects shares. Holds about 2 MiB while bytes come, nothing
//                after rest().
// Thread safety: one coroutine or thread at a time.
// Invariants:    every transaction that writes chunks also writes the row that names the object as staged and fails
//                when the guard does, so nothing is left that nobody finds. A writer that dies without keep() hands the
//                object to the background pass to be cleared. Errors are final.
// Errors:        payload_too_large beyond the limit; what the guard says (the namespace is gone); what the engine says.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/crc32.h"
#include "kv/database.h"
#include "layers/records/objects.h"

namespace strata::service {

// Says whether the namespace still wants the object; reads serializably, in every transaction of the writer.
using SpaceGuard = std::function<Result<void>(const kv::ReadTransaction&)>;

// Objects whose writers died; the background pass takes them.
class AbandonedObjects {
 public:
  struct Object {
    records::Namespace space;
    records::ObjectId id;
  };
  explicit AbandonedObjects(std::function<void()> wake) : wake_(std::move(wake)) {}
  void add(Object object);
  std::vector<Object> take();
  // Nobody is woken any more.
  void detach();

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<Object> objects_;
};

struct ObjectWriterOptions {
  uint64_t max_bytes = records::max_object_bytes;
  // Of the server that stages the object.
  records::ObjectId run{};
  SpaceGuard guard;
};

class ObjectWriter {
 public:
  static constexpr size_t batch_chunks = 5;
  static constexpr size_t batch_bytes = batch_chunks * records::object_chunk_bytes;

  ObjectWriter(const kv::Database& database, records::Namespace space, ObjectWriterOptions options,
               std::shared_ptr<AbandonedObjects> abandoned);
  ~ObjectWriter();
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  Result<void> append(BytesView bytes);
  // The same without a copy: room for the next bytes, never empty, and then how many were put there.
  Result<std::span<char>> room();
  Result<void> filled(size_t count);

  // Waits until all that was appended is written; holds no memory until more comes.
  Result<void> rest();
  // rest(), and what a commit refers to.
  Result<records::ObjectReference> finish();
  // A commit refers to it: it is not this writer's to clear any more.
  void keep() { kept_ = true; }

  uint64_t size() const { return size_; }
  uint32_t checksum() const { return checksum_.value(); }
  const records::ObjectId& id() const { return id_; }
  const records::Namespace& space() const { return space_; }

 private:
  struct Batch {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
    uint32_t first_chunk = 0;
    std::optional<kv::Transaction> transaction;
    Future<void> committed;
  };

  Result<void> open_batch();
  // Writes the batch that is being filled.
  void send();
  Future<void> commit(Batch& batch);
  // Waits for the oldest batch.
  Result<void> settle();
  Result<void> fail(Error error);

  const kv::Database& database_;
  const records::Namespace space_;
  const ObjectWriterOptions options_;
  const std::shared_ptr<AbandonedObjects> abandoned_;
  const records::ObjectId id_;
  uint64_t size_ = 0;
  Crc32 checksum_;
  std::optional<Batch> filling_;
  std::deque<Batch> in_flight_;
  std::vector<std::unique_ptr<char[]>> spare_;
  bool sent_any_ = false;
  bool kept_ = false;
  std::optional<Error> failed_;
};

}  // namespace strata::service
