// Large objects as keys: heads, descriptors and chunks.
//
// Purpose:       an object's bytes lie in chunks under a random id, written ahead by many transactions; the one that
//                puts the object only points the head of its key at that id.
// Ownership:     values; ObjectHeads borrows its transaction and namespace.
// Thread safety: as the transaction that is passed.
// Invariants:    docs/formats/records.md. An object that a head names is complete. One that nobody names any longer has
//                a row among the replaced ones in the same transaction, so its chunks are found again; one that nobody
//                names yet has a row among the staged ones. Which row goes when is the caller's: the layer only keeps
//                the books.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "kv/transaction.h"
#include "layers/records/keys.h"
#include "layers/records/operation.h"

namespace strata::records {

// Below the engine's 100,000; a multiple of a page.
inline constexpr size_t object_chunk_bytes = 96 * 1024;

// What is known of an object before its bytes are read.
struct StoredObject {
  ObjectReference reference;
  uint32_t chunk_bytes = object_chunk_bytes;
  // Of the commit that put it.
  Stamp stamp{};
};

Result<std::optional<StoredObject>> read_object_head(const kv::ReadTransaction& transaction, const Namespace& space,
                                                     BytesView key);
// The same of an object that may be replaced by now, without the stamp; nullopt: its bytes are gone or were never put.
Result<std::optional<StoredObject>> read_object_descriptor(const kv::ReadTransaction& transaction,
                                                           const Namespace& space, const ObjectId& id);
// Of a head's or a descriptor's stored bytes.
Result<StoredObject> parse_object_head(BytesView stored);
Result<StoredObject> parse_object_descriptor(const ObjectId& id, BytesView stored);

// Books of the objects of one transaction: the heads that it writes. A head just written cannot be read before the
// commit fills in its stamp, so what stands there is remembered.
class ObjectHeads {
 public:
  ObjectHeads(kv::Transaction& transaction, const Namespace& space) : transaction_(transaction), space_(space) {}

  // Points the key at the object, whose chunks are there, and takes it off the staged ones. Reads the head
  // serializably: two who replace the same object do not both forget it.
  Result<void> put(BytesView key, const ObjectReference& object);
  // Of a key without an object: nothing happens.
  Result<void> remove(BytesView key);

 private:
  // What stood at the key goes to the replaced ones, unless it is `next` itself, put once more.
  Result<void> retire(BytesView key, const ObjectId* next);

  kv::Transaction& transaction_;
  const Namespace& space_;
  std::map<Bytes, std::optional<ObjectId>> written_;
};

// The row that says an object is being staged, by which run of the server.
void stage_object(kv::Transaction& transaction, const Namespace& space, const ObjectId& id, const ObjectId& run);

struct StagedObject {
  ObjectId id{};
  ObjectId run{};
};
struct ReplacedObject {
  ObjectId id{};
  Stamp stamp{};
  Bytes key;
};
// At most `limit`, in the order of their keys, behind the row of `after`.
Result<std::vector<StagedObject>> read_staged_objects(const kv::ReadTransaction& transaction, const Namespace& space,
                                                      const ObjectId* after, size_t limit);
Result<std::vector<ReplacedObject>> read_replaced_objects(const kv::ReadTransaction& transaction,
                                                          const Namespace& space, const ReplacedObject* after,
                                                          size_t limit);
// Of the first record of the namespace's log that is kept; nullopt: none is.
Result<std::optional<Stamp>> first_log_stamp(const kv::ReadTransaction& transaction, const Namespace& space);

}  // namespace strata::records
