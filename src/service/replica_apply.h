// How the leader's records become data of this store.
//
// Purpose:       the transactions of a replica; who fetches the records, and when, is the follower's matter.
// Ownership:     borrows the database.
// Thread safety: any thread; one follower a namespace.
// Invariants:    records and the row that says how far the namespace follows are one transaction, so a record is
//                applied exactly once, whatever crashes or is asked again. The replica's log tells the same operations
//                in the same order; one record of it may hold several of the leader's.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "kv/database.h"
#include "layers/records/follow_rows.h"
#include "layers/records/namespaces.h"
#include "service/leader_records.h"

namespace strata::service {

struct ReplicaStore {
  const kv::Database& database;
  Clock& clock;
  kv::Durability durability;
};

// A namespace that follows, and how far it does.
struct FollowedNamespace {
  records::Namespace space;
  records::FollowRow row;
};

// nullopt: there is no such namespace, or it never followed.
Result<std::optional<FollowedNamespace>> find_followed(const ReplicaStore& store, std::string_view name);

// Applies all records of the batch behind `followed.row` and moves the row; in several transactions only where one
// would be too large. corruption: the records are not those that come next. not_found: the namespace is another one.
// What was applied before an error is in the row.
Result<void> apply_leader_batch(const ReplicaStore& store, std::string_view name, FollowedNamespace& followed,
                                const LeaderBatch& batch);

// False: there was none, or it is `default`, which is emptied instead.
Result<bool> remove_followed(const ReplicaStore& store, std::string_view name);

}  // namespace strata::service
