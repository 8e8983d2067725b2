// run_transaction: the database's run with what every service asks of a transaction.
//
// Purpose:       the engine's size limit instead of FoundationDB's, the service's durability, the caller's deadline.
// Ownership:     nothing is kept.
// Thread safety: any thread.
// Invariants:    a deadline that is over fails with transaction_timed_out before anything is done.
#pragma once

#include <string>
#include <type_traits>

#include "base/clock.h"
#include "kv/database.h"
#include "layers/records/namespaces.h"
#include "service/context.h"

namespace strata::service {

inline Error no_such_namespace(std::string_view name) {
  return Error(ErrorCode::not_found, "namespace not found: " + std::string(name));
}

// not_found when there is none of that name.
inline Result<records::Namespace> namespace_or_error(const kv::ReadTransaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(auto space, records::find_namespace(transaction, name));
  if (!space) return no_such_namespace(name);
  return *std::move(space);
}

// What is left until the deadline, as a transaction's time-out; 0: none.
inline Result<int64_t> timeout_ms(const Context& context, const Clock& clock) {
  if (context.deadline_steady_us == 0) return 0;
  const int64_t left_us = context.deadline_steady_us - clock.steady_us();
  if (left_us <= 0) return ErrorCode::transaction_timed_out;
  return left_us / 1000 + 1;
}

// body: Transaction& -> Result<T>, more than once.
template <class Body>
auto run_transaction(const kv::Database& database, const Context& context, const Clock& clock,
                     kv::Durability durability, Body body) -> std::invoke_result_t<Body&, kv::Transaction&> {
  using Answer = std::invoke_result_t<Body&, kv::Transaction&>;
  ASSIGN_OR_RETURN(const int64_t timeout, timeout_ms(context, clock));
  return database.run([&](kv::Transaction& transaction) -> Answer {
    transaction.raise_size_limit_to_engine();
    transaction.set_durability(durability);
    if (timeout > 0) RETURN_IF_ERROR(transaction.set_option(kv::TransactionOption::timeout, timeout));
    return body(transaction);
  });
}

}  // namespace strata::service
