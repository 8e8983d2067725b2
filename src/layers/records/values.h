// Values: one key of a namespace, one value of any size.
//
// Purpose:       put, delete and read of a single value.
// Ownership:     a StoredValue owns its bytes.
// Thread safety: as the transaction that is passed.
// Invariants:    put and delete write blind: they read the marker of a large value and nothing else, so writers of the
//                same small value do not conflict; the last one to commit wins.
#pragma once

#include <optional>

#include "kv/transaction.h"
#include "layers/records/keys.h"

namespace strata::records {

// Keeps what the engine returned as it is: the value is a view into it, without a copy.
class StoredValue {
 public:
  StoredValue(Bytes bytes, size_t offset, const Stamp& stamp)
      : bytes_(std::move(bytes)), offset_(offset), stamp_(stamp) {}
  BytesView value() const { return BytesView(bytes_).substr(offset_); }
  // Of the commit that wrote it.
  const Stamp& stamp() const { return stamp_; }

 private:
  Bytes bytes_;
  size_t offset_;
  Stamp stamp_;
};

// False: the namespace has no large value, in this transaction's eyes and when it commits.
Result<bool> has_large_values(kv::Transaction& transaction, const Namespace& space);
// may_be_large: what is known of the value that is replaced; true when nothing is.
Result<void> put_value(kv::Transaction& transaction, const Namespace& space, BytesView key, BytesView value,
                       bool may_be_large = true);
Result<void> delete_value(kv::Transaction& transaction, const Namespace& space, BytesView key,
                          bool may_be_large = true);
Result<std::optional<StoredValue>> read_value(const kv::ReadTransaction& transaction, const Namespace& space,
                                              BytesView key);
// The value of a head (read from value_key) that holds it whole; nullopt for one whose bytes lie in chunks.
Result<std::optional<StoredValue>> value_of_head(Bytes head);
// The stamp alone, serializably: what a compare-and-set compares.
Result<std::optional<Stamp>> read_value_stamp(const kv::ReadTransaction& transaction, const Namespace& space,
                                              BytesView key);

}  // namespace strata::records
