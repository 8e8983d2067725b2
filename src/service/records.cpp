#include "service/records.h"

#include <fmt/format.h>

#include "base/hex.h"
#include "layers/records/apply.h"
#include "layers/records/namespaces.h"
#include "service/log_signal.h"
#include "service/run.h"

namespace strata::service {
namespace {

Result<void> check_version(const kv::Transaction& transaction, const records::Namespace& space,
                           const WriteRequest& request) {
  if (!request.expected_version) return {};
  if (request.operations.size() != 1 || (request.operations[0].type != OperationType::put_value &&
                                         request.operations[0].type != OperationType::delete_value)) {
    return Error(ErrorCode::invalid_argument, "an expected version needs exactly one operation on a value");
  }
  ASSIGN_OR_RETURN(const auto stamp, records::read_value_stamp(transaction, space, request.operations[0].key));
  if (!stamp) return Error(ErrorCode::precondition_failed, "the key does not exist");
  if (*request.expected_version == "*" || *request.expected_version == format_version(*stamp)) return {};
  return Error(ErrorCode::precondition_failed, "the value has another version: " + format_version(*stamp));
}

Result<void> check_scan(const ScanRequest& request) {
  const records::ScanOptions& options = request.options;
  if (options.limit == 0 || options.limit > records::max_scan_entries) {
    return Error(ErrorCode::invalid_argument, fmt::format("limit must be 1 to {}", records::max_scan_entries));
  }
  // Longer ones are of no key.
  if (options.prefix.size() > records::max_key_bytes) {
    return Error(ErrorCode::invalid_argument, fmt::format("prefix has at most {} bytes", records::max_key_bytes));
  }
  if (options.after) return records::validate_key(*options.after, "the cursor's key");
  return {};
}

}  // namespace

std::string format_version(const Stamp& stamp) { return to_hex(BytesView(stamp.data(), stamp.size())); }

Records::Records(const kv::Database& database, const RecordsOptions& options)
    : database_(database), options_(options) {}

template <class Body>
auto Records::run(const Context& context, Body body) -> std::invoke_result_t<Body&, kv::Transaction&> {
  return run_transaction(database_, context, *options_.clock, options_.durability, body);
}

template <class Body>
auto Records::read(const Context& context, std::string_view name_space, Body body)
    -> std::invoke_result_t<Body&, const kv::ReadTransaction&, const records::Namespace&> {
  using Answer = std::invoke_result_t<Body&, const kv::ReadTransaction&, const records::Namespace&>;
  std::optional<records::Namespace> learned;
  // A transaction that writes nothing: unlike Database::read, run() lets the deadline be set.
  Answer answer = run(context, [&](kv::Transaction& transaction) -> Answer {
    const kv::ReadTransaction snapshot = transaction.snapshot();
    ASSIGN_OR_RETURN(learned, namespace_or_error(snapshot, name_space));
    return body(snapshot, *learned);
  });
  if (learned) cache_.put(name_space, *learned);
  return answer;
}

Result<void> Records::open(std::span<const std::string> names) {
  ASSIGN_OR_RETURN(const bool created, ensure_namespace({}, records::default_namespace));
  static_cast<void>(created);
  for (const std::string& name : names) RETURN_IF_ERROR(ensure_namespace({}, name));
  return {};
}

Result<bool> Records::ensure_namespace(const Context& context, std::string_view name) {
  ASSIGN_OR_RETURN(const records::EnsuredNamespace ensured, run(context, [&](kv::Transaction& transaction) {
                     return records::ensure_namespace(transaction, name, options_.clock->wall_us());
                   }));
  cache_.put(name, ensured.space);
  return ensured.created;
}

Result<void> Records::remove_namespace(const Context& context, std::string_view name) {
  if (name == records::default_namespace) {
    return Error(ErrorCode::invalid_argument, "the namespace default always exists and cannot be deleted");
  }
  std::optional<records::Namespace> found;
  ASSIGN_OR_RETURN(const bool removed, run(context, [&](kv::Transaction& transaction) -> Result<bool> {
                     ASSIGN_OR_RETURN(found, records::find_namespace(transaction, name));
                     return records::remove_namespace(transaction, name);
                   }));
  cache_.forget(name);
  if (!removed) return no_such_namespace(name);
  if (options_.signal) options_.signal->notify(found->id);
  return {};
}

Result<void> Records::require_namespace(const Context& context, std::string_view name) {
  return read(context, name, [](const kv::ReadTransaction&, const records::Namespace&) -> Result<void> { return {}; });
}

Result<void> Records::write(const Context& context, const WriteRequest& request) {
  for (const Operation& operation : request.operations) RETURN_IF_ERROR(records::validate(operation));
  if (request.operations.empty()) return require_namespace(context, request.name_space);
  int64_t written = 0;
  bool is_unknown = false;
  const int64_t wall_us = options_.clock->wall_us();
  Result<void> result = run(context, [&](kv::Transaction& transaction) -> Result<void> {
    // Serializable: a removal of the namespace at the same time conflicts, and no data is left behind by it.
    ASSIGN_OR_RETURN(const records::Namespace space, namespace_or_error(transaction, request.name_space));
    written = space.id;
    if (const std::optional<kv::Version> since = transaction.unknown_since()) {
      // An attempt that did come through must not fail its own precondition, nor be applied over later writes.
      const Bytes record = records::encode_log_record(wall_us, request.operations);
      ASSIGN_OR_RETURN(const records::LogSearch search,
                       records::find_in_log(transaction.snapshot(), space, *since, record, options_.log_search));
      is_unknown = search.found == records::InLog::not_known;
      if (search.found != records::InLog::no) return {};
    }
    RETURN_IF_ERROR(check_version(transaction, space, request));
    return records::apply(transaction, space, request.operations, wall_us);
  });
  // Others wrote more since than a request may read to find itself among it.
  if (result.ok() && is_unknown) result = ErrorCode::commit_unknown_result;
  // Also when it is unknown whether the commit came through.
  if (options_.signal && written != 0) options_.signal->notify(written);
  return result;
}

// One read of the engine at its newest version, without a transaction: the value itself proves that the namespace
// exists (namespace_cache.h). nullopt decides nothing.
Result<std::optional<StoredValue>> Records::read_cached(std::string_view name_space, BytesView key) {
  const auto space = cache_.find(name_space);
  if (!space) return std::optional<StoredValue>();
  kv::Engine& engine = database_.engine();
  ASSIGN_OR_RETURN(const kv::Version version, engine.read_version().get());
  ASSIGN_OR_RETURN(auto head, engine.get(records::value_key(*space, key), version).get());
  if (!head) return std::optional<StoredValue>();
  return records::value_of_head(*std::move(head));
}

Result<std::optional<StoredValue>> Records::read_value(const Context& context, std::string_view name_space,
                                                       BytesView key) {
  RETURN_IF_ERROR(records::validate_key(key, "key"));
  if (auto cached = read_cached(name_space, key); cached.ok() && cached->has_value()) return cached;
  // Absent, in chunks, or an error that the transaction retries or meets again.
  return read(context, name_space, [&](const kv::ReadTransaction& transaction, const records::Namespace& space) {
    return records::read_value(transaction, space, key);
  });
}

Result<std::optional<StoredRow>> Records::read_row(const Context& context, const ReadRowRequest& request) {
  RETURN_IF_ERROR(records::validate_key(request.row_key, "rowKey"));
  return read(
      context, request.name_space, [&](const kv::ReadTransaction& transaction, const records::Namespace& space) {
        return request.columns ? records::read_row_columns(transaction, space, request.row_key, *request.columns)
                               : records::read_row(transaction, space, request.row_key);
      });
}

Result<records::ValuePage> Records::scan_values(const Context& context, const ScanRequest& request) {
  RETURN_IF_ERROR(check_scan(request));
  return read(context, request.name_space,
              [&](const kv::ReadTransaction& transaction, const records::Namespace& space) {
                return records::scan_values(transaction, space, request.options);
              });
}

Result<records::RowPage> Records::scan_rows(const Context& context, const ScanRequest& request) {
  RETURN_IF_ERROR(check_scan(request));
  return read(context, request.name_space,
              [&](const kv::ReadTransaction& transaction, const records::Namespace& space) {
                return records::scan_rows(transaction, space, request.options);
              });
}

}  // namespace strata::service
