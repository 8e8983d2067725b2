#include "kv/database.h"

#include "kv/transaction_state.h"

namespace strata::kv {

Database::Database(std::shared_ptr<Engine> engine, DatabaseOptions options)
    : engine_(std::move(engine)), options_(std::make_shared<const DatabaseOptions>(options)) {}

Transaction Database::create_transaction() const {
  return Transaction(std::make_shared<TransactionState>(*engine_, options_));
}

}  // namespace strata::kv
