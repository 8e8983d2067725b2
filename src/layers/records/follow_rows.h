// What a store keeps of the leader it follows: the row of each namespace, and the row of the store.
//
// Purpose:       a replica that starts again goes on exactly where it stopped, and a store that was promoted never
//                follows again.
// Ownership:     values.
// Thread safety: pure functions, and as the transaction that is passed.
// Invariants:    docs/formats/records.md is the format. The row of a namespace is written by the transaction that
//                applies the leader's records, so it is never ahead of the data nor behind it. decode accepts exactly
//                what encode writes.
#pragma once

#include <optional>
#include <string>

#include "kv/transaction.h"
#include "layers/records/keys.h"
#include "layers/records/log_segments.h"

namespace strata::records {

inline constexpr size_t max_log_id_bytes = 128;

// Up to which record of the leader's log a namespace holds everything.
struct FollowRow {
  // Of the leader's namespace.
  std::string log_id;
  // Of the last record that was applied; {0, 0} and 0: none.
  LogPosition position;
  uint64_t lsn = 0;
  // Its stamp at the leader; zeros: not known.
  Stamp stamp{};
  // Where it begins: asked for again after a pause, it proves that the leader's log is still the same one. Not
  // meaningful without the stamp.
  LogPosition before;
  // When the leader wrote it, by the leader's clock, microseconds since 1970.
  int64_t wall_us = 0;
  friend bool operator==(const FollowRow&, const FollowRow&) = default;
};

Bytes encode_follow_row(const FollowRow& row);
Result<FollowRow> decode_follow_row(BytesView bytes);
Result<std::optional<FollowRow>> read_follow_row(const kv::ReadTransaction& transaction, const Namespace& space);
void write_follow_row(kv::Transaction& transaction, const Namespace& space, const FollowRow& row);

enum class StoreRole : uint8_t {
  // Every write is the leader's.
  replica = 1,
  // Was a replica; takes writes, and follows nobody again: its data and the leader's have parted.
  promoted = 2,
};

struct StoreRoleRow {
  StoreRole role = StoreRole::replica;
  int64_t since_us = 0;
  friend bool operator==(const StoreRoleRow&, const StoreRoleRow&) = default;
};

Bytes encode_store_role(const StoreRoleRow& row);
Result<StoreRoleRow> decode_store_role(BytesView bytes);
// nullopt: a store that never followed.
Result<std::optional<StoreRoleRow>> read_store_role(const kv::ReadTransaction& transaction);
void write_store_role(kv::Transaction& transaction, const StoreRoleRow& row);

}  // namespace strata::records
