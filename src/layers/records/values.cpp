#include "layers/records/values.h"

#include "layers/records/stored_value.h"

namespace strata::records {

Result<bool> has_large_values(kv::Transaction& transaction, const Namespace& space) {
  return has_any(transaction, value_chunks_prefix(space));
}

Result<void> put_value(kv::Transaction& transaction, const Namespace& space, BytesView key, BytesView value,
                       bool may_be_large) {
  const bool chunked = value.size() > chunk_bytes;
  const Bytes chunks_key = chunked || may_be_large ? value_chunks_key(space, key) : Bytes();
  if (may_be_large) RETURN_IF_ERROR(clear_chunks(transaction, chunks_key));
  transaction.mutate(kv::MutationType::set_versionstamped_value, value_key(space, key), stamped_head(value, chunked));
  if (chunked) write_chunks(transaction, chunks_key, value);
  return {};
}

Result<void> delete_value(kv::Transaction& transaction, const Namespace& space, BytesView key, bool may_be_large) {
  if (may_be_large) RETURN_IF_ERROR(clear_chunks(transaction, value_chunks_key(space, key)));
  transaction.clear(value_key(space, key));
  return {};
}

Result<std::optional<StoredValue>> value_of_head(Bytes head) {
  ASSIGN_OR_RETURN(const StoredHead parsed, parse_stamped_head(head));
  if (parsed.chunked) return std::optional<StoredValue>();
  const size_t offset = head.size() - parsed.payload.size();
  const Stamp stamp = parsed.stamp;
  return std::optional<StoredValue>(std::in_place, std::move(head), offset, stamp);
}

Result<std::optional<StoredValue>> read_value(const kv::ReadTransaction& transaction, const Namespace& space,
                                              BytesView key) {
  ASSIGN_OR_RETURN(auto head, transaction.get(value_key(space, key)).get());
  if (!head) return std::optional<StoredValue>();
  ASSIGN_OR_RETURN(const StoredHead parsed, parse_stamped_head(*head));
  if (!parsed.chunked) return value_of_head(*std::move(head));
  ASSIGN_OR_RETURN(Bytes value, read_chunks(transaction, value_chunks_key(space, key), parsed.size));
  return std::optional<StoredValue>(std::in_place, std::move(value), size_t{0}, parsed.stamp);
}

Result<std::optional<Stamp>> read_value_stamp(const kv::ReadTransaction& transaction, const Namespace& space,
                                              BytesView key) {
  ASSIGN_OR_RETURN(const auto head, transaction.get(value_key(space, key)).get());
  if (!head) return std::optional<Stamp>();
  ASSIGN_OR_RETURN(const StoredHead parsed, parse_stamped_head(*head));
  return std::optional<Stamp>(parsed.stamp);
}

}  // namespace strata::records
