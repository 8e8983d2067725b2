// What the files of Documents share: what it remembers of tables, and how it runs a transaction. Internal to the
// service.
//
// Purpose:       a read of a document need not read the table's row first; a schema is compiled once.
// Ownership:     values; schemas are shared with who uses them.
// Thread safety: any thread; readers share.
// Invariants:    an entry may be out of date: it speeds up a guess that the document itself confirms, and what it does
//                not hold decides nothing. A table's schema never changes under its number. At most max_entries of
//                each.
#pragma once

#include <fmt/format.h>

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "service/documents.h"
#include "service/run.h"

namespace strata::service {

class Documents::Cache {
 public:
  static constexpr size_t max_entries = 1'000;

  std::optional<Bytes> prefix(std::string_view name) const {
    std::shared_lock lock(mutex_);
    const auto found = prefixes_.find(name);
    if (found == prefixes_.end()) return std::nullopt;
    return found->second;
  }

  void put(const documents::Table& table) {
    std::unique_lock lock(mutex_);
    // Dropping all is as good as any policy here: an entry costs one read to get back.
    if (prefixes_.size() >= max_entries) prefixes_.clear();
    prefixes_.insert_or_assign(table.name, table.prefix);
  }

  void forget(std::string_view name) {
    std::unique_lock lock(mutex_);
    if (const auto found = prefixes_.find(name); found != prefixes_.end()) prefixes_.erase(found);
  }

  Result<std::shared_ptr<const documents::Schema>> schema(const documents::Table& table) {
    {
      std::shared_lock lock(mutex_);
      if (const auto found = schemas_.find(table.number); found != schemas_.end()) return found->second;
    }
    auto compiled = documents::Schema::compile(table.options.schema);
    if (!compiled.ok()) {
      // It was compiled when the table was made.
      return Error(ErrorCode::corruption,
                   "the schema of a table is broken: " + std::string(compiled.error().message()));
    }
    std::unique_lock lock(mutex_);
    if (schemas_.size() >= max_entries) schemas_.clear();
    schemas_.insert_or_assign(table.number, *compiled);
    return *std::move(compiled);
  }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Bytes, Hash, std::equal_to<>> prefixes_;
  std::unordered_map<int64_t, std::shared_ptr<const documents::Schema>> schemas_;
};

// For a transaction that writes each document once and reads it before: looking through what it has written, for every
// read, takes 3 % of a batch. Before anything else is done with the transaction.
inline void read_what_is_stored(kv::Transaction& transaction) {
  STRATA_ASSERT(transaction.set_option(kv::TransactionOption::read_your_writes_disable).ok());
}

// What the engine says of a transaction that is too large, in words about the request.
inline Error too_large_for(const kv::Limits& limits) {
  return Error(ErrorCode::transaction_too_large,
               fmt::format("the request writes more than the {} bytes that fit one transaction, entries of indexes "
                           "included: send it in parts",
                           limits.transaction_bytes));
}

template <class Body>
auto Documents::run(const Context& context, Body body) -> std::invoke_result_t<Body&, kv::Transaction&> {
  auto result = run_transaction(database_, context, *options_.clock, options_.durability, body);
  if (!result.ok() && result.error().code() == ErrorCode::transaction_too_large) {
    return too_large_for(database_.engine().limits());
  }
  return result;
}

// An earlier attempt may have been committed. Nothing tells whether it was, and a second one would count twice, fail
// its own reads or go over later writes: the caller is told, and nothing more is written.
inline bool is_unknown_outcome(const kv::Transaction& transaction, bool& is_unknown) {
  is_unknown = transaction.unknown_since().has_value();
  return is_unknown;
}

inline Error no_such_table(std::string_view name) {
  return Error(ErrorCode::not_found, fmt::format("table not found: {}", printable(name)));
}

inline Result<documents::Table> table_or_error(const kv::ReadTransaction& transaction, std::string_view name) {
  ASSIGN_OR_RETURN(auto table, documents::find_table(transaction, name));
  if (!table) return no_such_table(name);
  return *std::move(table);
}

}  // namespace strata::service
