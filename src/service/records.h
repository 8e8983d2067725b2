// Records: the use cases of namespaced values and rows.
//
// Purpose:       what a face calls; where a transaction begins, is retried and ends.
// Ownership:     borrows the database and the clock, which outlive it. Requests are views, answers own their bytes.
// Thread safety: any thread.
// Invariants:    a write is answered after its commit, as durable as the store was opened for; it is all or nothing.
//                A read sees every write that was answered before it began.
// Errors:        not_found ("namespace not found: X") from every method that takes a namespace; invalid_argument and
//                key_too_large for what can never be stored; precondition_failed; commit_unknown_result where it could
//                not be found out whether the write came through; what the engine says.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kv/database.h"
#include "layers/records/log_record.h"
#include "layers/records/operation.h"
#include "layers/records/rows.h"
#include "layers/records/scan.h"
#include "layers/records/values.h"
#include "service/context.h"
#include "service/namespace_cache.h"

namespace strata::service {

using records::Column;
using records::Operation;
using records::OperationType;
using records::RowPage;
using records::ScannedRow;
using records::ScannedValue;
using records::ScanOptions;
using records::Stamp;
using records::StoredRow;
using records::StoredValue;
using records::ValuePage;

class LogSignal;

struct RecordsOptions {
  Clock* clock = &system_clock();
  // Of every commit; and what durability() tells the faces.
  kv::Durability durability = kv::Durability::sync;
  // Told of every namespace that was written to or removed; may be absent.
  LogSignal* signal = nullptr;
  // For a write that was not told the outcome of an attempt of it.
  records::LogSearchLimits log_search = {};
};

struct WriteRequest {
  std::string_view name_space;
  // Applied in order, in one transaction, as one record of the namespace's log. None: nothing is written.
  std::span<const Operation> operations;
  // Compare-and-set, for a request of one operation on a value: the hexadecimal version that the value must still have
  // (as format_version writes it), or "*" for any.
  std::optional<std::string_view> expected_version = std::nullopt;
};

struct ReadRowRequest {
  std::string_view name_space;
  BytesView row_key;
  // Absent: all columns.
  std::optional<std::span<const BytesView>> columns = std::nullopt;
};

struct ScanRequest {
  std::string_view name_space;
  // invalid_argument for a limit of 0 or beyond records::max_scan_entries.
  ScanOptions options = {};
};

// Twenty hexadecimal digits: versions of one database compare as their texts do.
std::string format_version(const Stamp& stamp);

class Records {
 public:
  Records(const kv::Database& database, const RecordsOptions& options);

  // Before requests are served: makes `default` and these.
  Result<void> open(std::span<const std::string> names);
  kv::Durability durability() const { return options_.durability; }

  // True: it was made now.
  Result<bool> ensure_namespace(const Context& context, std::string_view name);
  // With all its data. `default` stays: invalid_argument.
  Result<void> remove_namespace(const Context& context, std::string_view name);
  Result<void> require_namespace(const Context& context, std::string_view name);

  Result<void> write(const Context& context, const WriteRequest& request);
  Result<std::optional<StoredValue>> read_value(const Context& context, std::string_view name_space, BytesView key);
  Result<std::optional<StoredRow>> read_row(const Context& context, const ReadRowRequest& request);
  // A page is read at one version; the next page at a newer one.
  Result<ValuePage> scan_values(const Context& context, const ScanRequest& request);
  Result<RowPage> scan_rows(const Context& context, const ScanRequest& request);

 private:
  Result<std::optional<StoredValue>> read_cached(std::string_view name_space, BytesView key);

  // The database's run and read with this service's options and the caller's deadline.
  template <class Body>
  auto run(const Context& context, Body body) -> std::invoke_result_t<Body&, kv::Transaction&>;
  // body: ReadTransaction&, Namespace&. Learns the namespace's number.
  template <class Body>
  auto read(const Context& context, std::string_view name_space, Body body)
      -> std::invoke_result_t<Body&, const kv::ReadTransaction&, const records::Namespace&>;

  const kv::Database& database_;
  const RecordsOptions options_;
  NamespaceCache cache_;
};

}  // namespace strata::service
