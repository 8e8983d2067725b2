#include "layers/records/objects.h"

#include <algorithm>

namespace strata::records {
namespace {

constexpr char format = 1;
// size, bytes of a chunk, checksum
constexpr size_t measures_bytes = 8 + 4 + 4;
// format, flags, versionstamp
constexpr size_t head_header_bytes = 2 + stamp_bytes;
constexpr size_t stamp_offset = 2;
constexpr size_t head_bytes = head_header_bytes + object_id_bytes + measures_bytes;
constexpr size_t descriptor_bytes = 1 + measures_bytes;
constexpr size_t staged_bytes = 1 + object_id_bytes;

Error broken(const char* what) {
  return Error(ErrorCode::corruption, std::string("a stored object is broken: ") + what);
}

void append_measures(Bytes& out, const ObjectReference& object) {
  append_le64(out, object.size);
  append_le32(out, object_chunk_bytes);
  append_le32(out, object.checksum);
}

Result<void> parse_measures(BytesView in, StoredObject& object) {
  object.reference.size = read_le64(in);
  object.chunk_bytes = read_le32(in.substr(8));
  object.reference.checksum = read_le32(in.substr(12));
  if (object.reference.size > max_object_bytes) return broken("an impossible size");
  if (object.chunk_bytes == 0) return broken("chunks of no bytes");
  return {};
}

ObjectId take_id(BytesView in) {
  ObjectId id;
  std::copy_n(in.begin(), id.size(), id.begin());
  return id;
}

BytesView view(const ObjectId& id) { return {id.data(), id.size()}; }

}  // namespace

Result<StoredObject> parse_object_head(BytesView stored) {
  if (stored.size() != head_bytes) return broken("a head of the wrong size");
  if (stored[0] != format) return broken("unknown format");
  if (stored[1] != 0) return broken("unknown flags");
  StoredObject object;
  std::copy_n(stored.begin() + stamp_offset, stamp_bytes, object.stamp.begin());
  object.reference.id = take_id(stored.substr(head_header_bytes));
  RETURN_IF_ERROR(parse_measures(stored.substr(head_header_bytes + object_id_bytes), object));
  return object;
}

Result<StoredObject> parse_object_descriptor(const ObjectId& id, BytesView stored) {
  if (stored.size() != descriptor_bytes) return broken("a descriptor of the wrong size");
  if (stored[0] != format) return broken("unknown format");
  StoredObject object;
  object.reference.id = id;
  RETURN_IF_ERROR(parse_measures(stored.substr(1), object));
  return object;
}

Result<std::optional<StoredObject>> read_object_head(const kv::ReadTransaction& transaction, const Namespace& space,
                                                     BytesView key) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(object_key(space, key)).get());
  if (!stored) return std::optional<StoredObject>();
  ASSIGN_OR_RETURN(const StoredObject object, parse_object_head(*stored));
  return std::optional<StoredObject>(object);
}

Result<std::optional<StoredObject>> read_object_descriptor(const kv::ReadTransaction& transaction,
                                                           const Namespace& space, const ObjectId& id) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(object_data_key(space, id)).get());
  if (!stored) return std::optional<StoredObject>();
  ASSIGN_OR_RETURN(const StoredObject object, parse_object_descriptor(id, *stored));
  return std::optional<StoredObject>(object);
}

Result<void> ObjectHeads::retire(BytesView key, const ObjectId* next) {
  const auto written = written_.find(Bytes(key));
  std::optional<ObjectId> old;
  Stamp stamp;
  stamp.fill('\xFF');
  bool put_now = true;
  if (written != written_.end()) {
    old = written->second;
  } else {
    ASSIGN_OR_RETURN(const auto stored, read_object_head(transaction_, space_, key));
    if (stored) {
      old = stored->reference.id;
      stamp = stored->stamp;
      put_now = false;
    }
  }
  if (!old || (next && *old == *next)) return {};
  Bytes row_key = replaced_object_key(space_, stamp, *old);
  Bytes row(1, format);
  row.append(key);
  if (!put_now) {
    transaction_.set(row_key, row);
    return {};
  }
  // Put by this very transaction: the commit fills in the stamp.
  append_le32(row_key, static_cast<uint32_t>(replaced_objects_prefix(space_).size()));
  transaction_.mutate(kv::MutationType::set_versionstamped_key, row_key, row);
  return {};
}

Result<void> ObjectHeads::put(BytesView key, const ObjectReference& object) {
  RETURN_IF_ERROR(retire(key, &object.id));
  Bytes head = {format, '\0'};
  head.append(stamp_bytes, '\xFF');
  head.append(view(object.id));
  append_measures(head, object);
  append_le32(head, stamp_offset);  // trimmed off
  transaction_.mutate(kv::MutationType::set_versionstamped_value, object_key(space_, key), head);
  Bytes descriptor(1, format);
  append_measures(descriptor, object);
  transaction_.set(object_data_key(space_, object.id), descriptor);
  transaction_.clear(staged_object_key(space_, object.id));
  written_[Bytes(key)] = object.id;
  return {};
}

Result<void> ObjectHeads::remove(BytesView key) {
  RETURN_IF_ERROR(retire(key, nullptr));
  transaction_.clear(object_key(space_, key));
  written_[Bytes(key)] = std::nullopt;
  return {};
}

void stage_object(kv::Transaction& transaction, const Namespace& space, const ObjectId& id, const ObjectId& run) {
  Bytes row(1, format);
  row.append(view(run));
  transaction.set(staged_object_key(space, id), row);
}

Result<std::vector<StagedObject>> read_staged_objects(const kv::ReadTransaction& transaction, const Namespace& space,
                                                      const ObjectId* after, size_t limit) {
  const Bytes begin = after ? key_after(staged_object_key(space, *after)) : staged_objects_prefix(space);
  std::vector<StagedObject> objects;
  kv::RangeIterator rows(transaction, begin, *prefix_end(staged_objects_prefix(space)),
                         {.limit = static_cast<int>(limit), .mode = kv::StreamingMode::want_all});
  while (rows.next()) {
    ASSIGN_OR_RETURN(const ObjectId id, parse_staged_object_key(space, rows.key()));
    if (rows.value().size() != staged_bytes || rows.value()[0] != format) return broken("a row of the staged ones");
    objects.push_back({id, take_id(rows.value().substr(1))});
  }
  RETURN_IF_ERROR(rows.status());
  return objects;
}

Result<std::vector<ReplacedObject>> read_replaced_objects(const kv::ReadTransaction& transaction,
                                                          const Namespace& space, const ReplacedObject* after,
                                                          size_t limit) {
  const Bytes begin =
      after ? key_after(replaced_object_key(space, after->stamp, after->id)) : replaced_objects_prefix(space);
  std::vector<ReplacedObject> objects;
  kv::RangeIterator rows(transaction, begin, *prefix_end(replaced_objects_prefix(space)),
                         {.limit = static_cast<int>(limit), .mode = kv::StreamingMode::want_all});
  while (rows.next()) {
    ASSIGN_OR_RETURN(const ReplacedObjectKey key, parse_replaced_object_key(space, rows.key()));
    if (rows.value().empty() || rows.value()[0] != format) return broken("a row of the replaced ones");
    objects.push_back({key.id, key.stamp, Bytes(rows.value().substr(1))});
  }
  RETURN_IF_ERROR(rows.status());
  return objects;
}

Result<std::optional<Stamp>> first_log_stamp(const kv::ReadTransaction& transaction, const Namespace& space) {
  const Bytes prefix = log_prefix(space);
  ASSIGN_OR_RETURN(
      const kv::RangePage page,
      transaction.get_range(prefix, *prefix_end(prefix), {.limit = 1, .mode = kv::StreamingMode::exact}).get());
  if (page.rows.empty()) return std::optional<Stamp>();
  ASSIGN_OR_RETURN(const LogKey key, parse_log_key(space, page.rows.key(0)));
  return std::optional<Stamp>(key.stamp);
}

}  // namespace strata::records
