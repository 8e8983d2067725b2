// DocumentIndexes: the use cases of a table's indexes, and the thread that builds them.
//
// Purpose:       an index is made at once and filled in the background, page by page, while writers keep it up to date.
// Ownership:     borrows the database and the clock, which outlive it; owns its thread.
// Thread safety: any thread.
// Invariants:    an index that was being built when the server ended goes on where it was. Making and dropping one
//                conflicts with the writes under way, so every write sees the indexes of its own commit. What keeps one
//                index from being built keeps no other.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kv/database.h"
#include "layers/documents/indexes.h"
#include "layers/documents/tables.h"
#include "service/context.h"
#include "service/index_request.h"
#include "service/periodic_task.h"

namespace strata::service {

struct DocumentIndexesOptions {
  Clock* clock = &system_clock();
  kv::Durability durability = kv::Durability::sync;
};

struct IndexStatus {
  std::string name;
  std::string field;
  std::string_view type;
  // Of fulltext.
  std::string_view analyzer = {};
  bool ready = false;
  // Dealt with by the build.
  uint64_t documents = 0;
  // Why the build does not go on; it is tried again.
  std::string error = {};
};

class DocumentIndexes {
 public:
  DocumentIndexes(const kv::Database& database, const DocumentIndexesOptions& options);
  ~DocumentIndexes();

  // Builds what is not ready; once, when the store is open.
  void start();
  // There may be more to build.
  void wake() { task_.wake(); }

  // invalid_argument: a name that is taken, an unknown type, a field that is no path.
  Result<IndexStatus> make(const Context& context, const IndexRequest& request);
  Result<std::vector<IndexStatus>> list(const Context& context, std::string_view table);
  Result<IndexStatus> get(const Context& context, std::string_view table, std::string_view name);
  Result<void> drop(const Context& context, std::string_view table, std::string_view name);

  // One pass over all tables; what the thread does.
  Result<void> build_all();

 private:
  struct Build;

  // To its end, unless stopping.
  Result<void> build(const Build& build);
  // True: there is more to do. `most`: documents of a page.
  Result<bool> build_page(const Build& build, size_t& most);
  Result<IndexStatus> status_of(const kv::ReadTransaction& transaction, const documents::Table& table,
                                const documents::IndexDefinition& index) const;
  void note(const Build& build, const Result<void>& built);

  const kv::Database& database_;
  const DocumentIndexesOptions options_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  // By number of the table and id of the index.
  std::map<std::pair<int64_t, uint32_t>, std::string> failures_;
  PeriodicTask task_;
};

}  // namespace strata::service
