// Workloads: concurrent transactions whose outcome tells whether they were serializable.
//
// Purpose:       each runs clients on threads of their own until its transactions are done, and says what is wrong
//                with what came out.
// Ownership:     borrow the database; their keys lie behind prefixes of their own.
// Thread safety: one call at a time on a database.
// Invariants:    the answer is nullopt when nothing was found; an error of the engine that is no conflict is a finding.
#pragma once

#include <optional>
#include <string>

#include "kv/database.h"

namespace strata::serializability {

struct Load {
  size_t clients = 6;
  // Commits that succeed, of all clients together.
  size_t transactions = 2'000;
  uint64_t seed = 1;
  // Of run_list_append: no appends by reading and setting. What is lost by those is found without looking for cycles.
  bool blind_appends = false;
};

using Finding = std::optional<std::string>;

// Nodes in a ring, cut and joined anew by transactions that read three pointers and set three. One ring always.
Finding run_cycle(const kv::Database& database, const Load& load);
// Pairs of which one at least must be set: each transaction reads both and clears one.
Finding run_write_skew(const kv::Database& database, const Load& load);
// Seats in a hall, by a range: a transaction counts them and adds one when there is room. A phantom overbooks.
Finding run_seats(const kv::Database& database, const Load& load);
// Transfers between accounts, and readers who add all up.
Finding run_bank(const kv::Database& database, const Load& load);
// Lists, appended to blindly or by reading first, read one by one or as a range; history_checker.h judges.
Finding run_list_append(const kv::Database& database, const Load& load);

}  // namespace strata::serializability
