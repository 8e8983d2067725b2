// Tables: the list of names, and the numbers that keys carry instead of them.
//
// Purpose:       a table is found, made and dropped in the transaction of the documents it holds.
// Ownership:     values.
// Thread safety: as the transaction that is passed.
// Invariants:    a number is given out once and never again, so what is found under it belongs to the table that the
//                number was made for. Writers read the row serializably: who drops a table conflicts with them.
#pragma once

#include <optional>
#include <vector>

#include "kv/transaction.h"
#include "layers/documents/document_keys.h"
#include "layers/documents/index_definition.h"

namespace strata::documents {

inline constexpr size_t max_table_description_letters = 500;
// The row of a table fits one value of the engine.
inline constexpr size_t max_schema_bytes = 65'536;
inline constexpr uint32_t max_shards = 1'024;

struct TableOptions {
  // What was asked for; one transactional core serves all of them.
  uint32_t shards = 1;
  Bytes description = {};
  // Minified JSON Schema; empty: any document.
  Bytes schema = {};
};

struct Table {
  std::string name;
  int64_t number = 0;
  // Of all its keys.
  Bytes prefix;
  int64_t created_us = 0;
  TableOptions options;
  std::vector<IndexDefinition> indexes;
  // The id of the next index; given out once.
  uint32_t next_index = 1;
  // A backup copies it: every write adds its key to the table's changes (document_keys.h).
  bool is_copied = false;
};

Result<void> validate_table_options(const TableOptions& options);

Result<std::optional<Table>> find_table(const kv::ReadTransaction& transaction, std::string_view name);
// nullopt: there is one of that name. The name and the options are valid.
Result<std::optional<Table>> make_table(kv::Transaction& transaction, std::string_view name,
                                        const TableOptions& options, int64_t wall_us);
// The row as it is now; for its indexes.
void put_table(kv::Transaction& transaction, const Table& table);
// With all its documents; false when there was none.
Result<bool> drop_table(kv::Transaction& transaction, std::string_view name);
// Those whose names come behind `after`, by name, at most `limit`.
Result<std::vector<Table>> list_tables(const kv::ReadTransaction& transaction, std::string_view after, size_t limit);

// A number for a table that nobody can see until it is revealed, and the note that it is such a one.
Result<int64_t> make_hidden_table(kv::Transaction& transaction);
// Under the table's name; false: there is one of that name.
Result<bool> reveal_table(kv::Transaction& transaction, const Table& table);
// With all that was written under the number.
void clear_hidden_table(kv::Transaction& transaction, int64_t number);
Result<std::vector<int64_t>> list_hidden_tables(const kv::ReadTransaction& transaction);

}  // namespace strata::documents
