// How a value of any size lies in the key space: a head, and chunks where it is too large for one.
//
// Purpose:       values, row markers and columns share one framing: format, flags, optionally the versionstamp of the
//                commit, then the bytes themselves or their length.
// Ownership:     views into what the caller passed, else bytes of its own.
// Thread safety: as the transaction that is passed.
// Invariants:    a chunked value has a marker key, its chunks lie behind that key; nothing else does. Who replaces a
//                value reads the marker serializably and clears the range when it is there, so no chunk outlives its
//                head, and two writers of small values never conflict.
#pragma once

#include "kv/transaction.h"
#include "layers/records/keys.h"

namespace strata::records {

// Also the most that a head holds. Below the engine's 100,000 with room for the head and the stamp's offset.
inline constexpr size_t chunk_bytes = 90'000;

struct StoredHead {
  bool chunked = false;
  Stamp stamp{};      // zero where the format has none
  BytesView payload;  // when not chunked
  uint64_t size = 0;  // of the whole value
};

// The operand of SET_VERSIONSTAMPED_VALUE that makes a head with the commit's stamp.
Bytes stamped_head(BytesView payload, bool chunked);
Result<StoredHead> parse_stamped_head(BytesView stored);
// Without a stamp: columns, whose row carries it.
Bytes plain_head(BytesView payload, bool chunked);
Result<StoredHead> parse_plain_head(BytesView stored);

// Whether any key starts with the prefix; a serializable read up to the first one.
Result<bool> has_any(kv::Transaction& transaction, BytesView prefix);

// chunks_key: value_chunks_key or column_chunks_key.
// Removes what an earlier value left there; a serializable read of the marker alone.
Result<void> clear_chunks(kv::Transaction& transaction, BytesView chunks_key);
// Into a range that is empty.
void write_chunks(kv::Transaction& transaction, BytesView chunks_key, BytesView payload);
Result<Bytes> read_chunks(const kv::ReadTransaction& transaction, BytesView chunks_key, uint64_t size);

}  // namespace strata::records
