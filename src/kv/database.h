// Database: an engine, and the loop that makes a function a transaction.
//
// Purpose:       run() commits what a function did and tries again where trying again helps.
// Ownership:     shares the engine; the last Database outlives every transaction and future it gave.
// Thread safety: any thread.
// Invariants:    a function given to run() may be called more than once: it must have no effect but through the
//                transaction. It gives up when on_error says the error is final.
#pragma once

#include <memory>
#include <type_traits>

#include "base/clock.h"
#include "kv/transaction.h"

namespace strata::kv {

struct DatabaseOptions {
  Clock* clock = &system_clock();
  // Of the back-off's random factor; 0: from the machine.
  uint64_t random_seed = 0;
  // Defaults for every transaction; 0 and -1: none.
  int64_t timeout_ms = 0;
  int64_t retry_limit = -1;
  int64_t max_retry_delay_ms = 1'000;
};

class Database {
 public:
  explicit Database(std::shared_ptr<Engine> engine, DatabaseOptions options = {});

  Transaction create_transaction() const;
  Engine& engine() const { return *engine_; }

  // body: Transaction& -> Result<T>. Commits, retries, returns what the committed call returned.
  template <class Body>
  auto run(Body&& body) const -> std::invoke_result_t<Body&, Transaction&> {
    Transaction transaction = create_transaction();
    for (;;) {
      auto result = body(transaction);
      if (result.ok()) {
        Result<void> committed = transaction.commit().get();
        if (committed.ok()) return result;
        RETURN_IF_ERROR(transaction.on_error(committed.error()).get());
      } else {
        RETURN_IF_ERROR(transaction.on_error(result.error()).get());
      }
    }
  }

  // body: ReadTransaction& -> Result<T>. No commit; retries.
  template <class Body>
  auto read(Body&& body) const -> std::invoke_result_t<Body&, const ReadTransaction&> {
    Transaction transaction = create_transaction();
    for (;;) {
      auto result = body(static_cast<const ReadTransaction&>(transaction));
      if (result.ok()) return result;
      RETURN_IF_ERROR(transaction.on_error(result.error()).get());
    }
  }

 private:
  std::shared_ptr<Engine> engine_;
  std::shared_ptr<const DatabaseOptions> options_;
};

}  // namespace strata::kv
