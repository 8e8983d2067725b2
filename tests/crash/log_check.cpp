#include "log_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/crc32.h"
#include "layers/records/log_record.h"
#include "layers/records/log_segments.h"
#include "layers/records/namespaces.h"
#include "layers/records/objects.h"
#include "layers/records/rows.h"
#include "layers/records/stored_value.h"
#include "layers/records/values.h"

namespace strata {
namespace {

using records::Namespace;
using records::Operation;
using records::OperationType;
using records::Stamp;

struct Value {
  Bytes bytes;
  Stamp stamp{};
};
struct Row {
  std::map<Bytes, Bytes> columns;
  Stamp stamp{};
};

struct Object {
  records::ObjectReference reference;
  Stamp stamp{};
};

// What the log says.
struct Model {
  std::map<Bytes, Value> values;
  std::map<Bytes, Row> rows;
  std::map<Bytes, Object> objects;
  size_t records = 0;
  Stamp last{};
  std::vector<Stamp> stamps;

  void apply(const Operation& operation, const Stamp& stamp) {
    const Bytes key(operation.key);
    switch (operation.type) {
      case OperationType::put_value:
        values[key] = {Bytes(operation.value), stamp};
        return;
      case OperationType::delete_value:
        values.erase(key);
        return;
      case OperationType::delete_row:
        rows.erase(key);
        return;
      case OperationType::put_row:
        for (const auto& column : operation.columns) rows[key].columns[Bytes(column.name)] = Bytes(column.value);
        rows[key].stamp = stamp;
        return;
      case OperationType::delete_columns:
        if (rows.count(key) == 0) return;
        for (const auto& column : operation.columns) rows[key].columns.erase(Bytes(column.name));
        rows[key].stamp = stamp;
        return;
      case OperationType::put_object:
        objects[key] = {operation.object, stamp};
        return;
      case OperationType::delete_object:
        objects.erase(key);
    }
  }
};

Error mismatch(std::string_view what, BytesView key) {
  return Error(ErrorCode::corruption, fmt::format("{}: {}", what, printable(key)));
}

Result<Model> replay_log(const kv::Database& database, const Namespace& space) {
  constexpr size_t page = 500;
  Model model;
  for (;;) {
    const Stamp* after = model.records == 0 ? nullptr : &model.last;
    ASSIGN_OR_RETURN(const auto stored, database.read([&](const kv::ReadTransaction& transaction) {
      return records::read_log(transaction, space, after, page);
    }));
    for (const auto& entry : stored) {
      ASSIGN_OR_RETURN(const auto record, records::decode_log_record(entry.bytes));
      for (const Operation& operation : record.operations) model.apply(operation, entry.stamp);
      model.last = entry.stamp;
      model.stamps.push_back(entry.stamp);
      ++model.records;
    }
    if (stored.size() < page) return model;
  }
}

Result<void> compare_values(const kv::Database& database, const Namespace& space, const Model& model) {
  for (const auto& [key, expected] : model.values) {
    ASSIGN_OR_RETURN(const auto found, database.read([&, &name = key](const kv::ReadTransaction& transaction) {
      return records::read_value(transaction, space, name);
    }));
    if (!found || found->value() != expected.bytes) return mismatch("value differs from the log", key);
    if (found->stamp() != expected.stamp) return mismatch("version differs from the log", key);
  }
  return {};
}

Result<void> compare_rows(const kv::Database& database, const Namespace& space, const Model& model) {
  for (const auto& [key, expected] : model.rows) {
    ASSIGN_OR_RETURN(const auto found, database.read([&, &name = key](const kv::ReadTransaction& transaction) {
      return records::read_row(transaction, space, name);
    }));
    std::map<Bytes, Bytes> columns;
    if (found) {
      for (const auto& column : found->columns) columns[column.name] = column.value;
    }
    if (!found || columns != expected.columns) return mismatch("row differs from the log", key);
    if (found->stamp != expected.stamp) return mismatch("version of a row differs from the log", key);
  }
  return {};
}

// Heads, and the size and checksum of the bytes, page by page.
Result<void> compare_objects(const kv::Database& database, const Namespace& space, const Model& model) {
  for (const auto& [key, expected] : model.objects) {
    ASSIGN_OR_RETURN(const auto found, database.read([&, &name = key](const kv::ReadTransaction& transaction) {
      return records::read_object_head(transaction, space, name);
    }));
    if (!found || found->reference != expected.reference) return mismatch("object differs from the log", key);
    if (found->stamp != expected.stamp) return mismatch("version of an object differs from the log", key);
    uint64_t size = 0;
    Crc32 checksum;
    for (uint32_t index = 0; size < expected.reference.size; ++index) {
      ASSIGN_OR_RETURN(const auto chunk, database.read([&](const kv::ReadTransaction& transaction) {
        return transaction.get(records::object_chunk_key(space, expected.reference.id, index)).get();
      }));
      if (!chunk || chunk->empty()) return mismatch("a chunk of an object is missing", key);
      checksum.update(*chunk);
      size += chunk->size();
    }
    if (size != expected.reference.size || checksum.value() != expected.reference.checksum) {
      return mismatch("bytes of an object differ from the log", key);
    }
  }
  return {};
}

// What is staged, or waits to be cleared: rows of its own and bytes that no head names.
Result<void> account_for_what_waits(const kv::Database& database, const Namespace& space, Staged staged_things,
                                    std::set<Bytes>& prefixes) {
  constexpr size_t limit = 100'000;
  ASSIGN_OR_RETURN(const auto staged, database.read([&](const kv::ReadTransaction& transaction) {
    return records::read_staged_objects(transaction, space, nullptr, limit);
  }));
  ASSIGN_OR_RETURN(const auto replaced, database.read([&](const kv::ReadTransaction& transaction) {
    return records::read_replaced_objects(transaction, space, nullptr, limit);
  }));
  for (const auto& object : replaced) prefixes.insert(records::object_data_key(space, object.id));
  if (staged_things == Staged::may_be_there) {
    for (const auto& object : staged) prefixes.insert(records::object_data_key(space, object.id));
    prefixes.insert(records::staged_objects_prefix(space));
    prefixes.insert(records::staged_operations_prefix(space));
  }
  prefixes.insert(records::replaced_objects_prefix(space));
  return {};
}

// Every key below the namespace's prefix belongs to something that the log told of. Returns how many there are.
Result<size_t> account_for_keys(const kv::Database& database, const Namespace& space, const Model& model,
                                Staged staged) {
  std::set<Bytes> exact = {records::log_checkpoint_key(space)};
  std::set<Bytes> prefixes = {records::log_prefix(space), records::log_segments_prefix(space)};
  for (const auto& [key, value] : model.values) {
    exact.insert(records::value_key(space, key));
    if (value.bytes.size() > records::chunk_bytes) prefixes.insert(records::value_chunks_key(space, key));
  }
  for (const auto& [key, row] : model.rows) prefixes.insert(records::row_prefix(space, key));
  for (const auto& [key, object] : model.objects) {
    exact.insert(records::object_key(space, key));
    prefixes.insert(records::object_data_key(space, object.reference.id));
  }
  RETURN_IF_ERROR(account_for_what_waits(database, space, staged, prefixes));

  size_t keys = 0;
  Bytes from = space.prefix;
  const Bytes end = *prefix_end(space.prefix);
  for (bool more = true; more;) {
    // A transaction a page: a whole scan may outlast the life of a read version.
    kv::Transaction transaction = database.create_transaction();
    ASSIGN_OR_RETURN(const auto page, transaction.snapshot().get_range(from, end, {.limit = 5'000}).get());
    for (size_t i = 0; i < page.rows.size(); ++i, ++keys) {
      const BytesView key = page.rows.key(i);
      auto behind = prefixes.upper_bound(Bytes(key));
      const bool owned = behind != prefixes.begin() && key.starts_with(*std::prev(behind));
      if (!owned && exact.count(Bytes(key)) == 0) return mismatch("a key that belongs to nothing", key);
    }
    more = page.more && !page.rows.empty();
    if (more) from = key_after(page.rows.key(page.rows.size() - 1));
  }
  return keys;
}

// It names a record of the log, and counts all up to it; not where old records were dropped.
Result<void> check_checkpoint(const kv::Database& database, const Namespace& space, const Model& model) {
  std::optional<records::LogCheckpoint> checkpoint;
  Stamp first_kept{};
  RETURN_IF_ERROR(database.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
    ASSIGN_OR_RETURN(checkpoint, records::read_log_checkpoint(transaction, space));
    ASSIGN_OR_RETURN(first_kept, records::read_first_kept(transaction, space));
    return {};
  }));
  if (!checkpoint || first_kept != Stamp{}) return {};
  // As bytes: a char may be negative.
  const auto less = [](const Stamp& left, const Stamp& right) {
    return BytesView(left.data(), left.size()) < BytesView(right.data(), right.size());
  };
  const auto behind = std::upper_bound(model.stamps.begin(), model.stamps.end(), checkpoint->stamp, less);
  const auto counted = static_cast<uint64_t>(behind - model.stamps.begin());
  if (counted == 0 || *std::prev(behind) != checkpoint->stamp || counted != checkpoint->totals.records) {
    return mismatch("the checkpoint is not of this log",
                    fmt::format("{} records instead of {}, {}", checkpoint->totals.records, counted,
                                counted > 0 && *std::prev(behind) == checkpoint->stamp ? "a record" : "no record"));
  }
  return {};
}

}  // namespace

Result<std::string> check_log(const kv::Database& database, std::string_view name_space, Staged staged) {
  ASSIGN_OR_RETURN(const auto space, database.read([&](const kv::ReadTransaction& transaction) {
    return records::find_namespace(transaction, name_space);
  }));
  if (!space) return mismatch("no such namespace", name_space);
  ASSIGN_OR_RETURN(const Model model, replay_log(database, *space));
  RETURN_IF_ERROR(compare_values(database, *space, model));
  RETURN_IF_ERROR(compare_rows(database, *space, model));
  RETURN_IF_ERROR(compare_objects(database, *space, model));
  RETURN_IF_ERROR(check_checkpoint(database, *space, model));
  ASSIGN_OR_RETURN(const size_t keys, account_for_keys(database, *space, model, staged));
  return fmt::format("{} log records, {} values, {} rows, {} objects, {} keys agree", model.records,
                     model.values.size(), model.rows.size(), model.objects.size(), keys);
}

}  // namespace strata
