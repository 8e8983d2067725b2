// Restore: a namespace from backup files, in a store that nobody else uses.
//
// Purpose:       what `strata restore` does: puts the files in order, checks that they are one history, loads it, and
//                reveals the namespace.
// Ownership:     borrows the database.
// Thread safety: none; one at a time.
// Invariants:    all or nothing: until the last transaction the namespace is as it was. Every file is read to its end
//                and verified, also where --to ends before.
// Errors:        their messages name the file. corruption: a file is damaged; invalid_argument: the files do not belong
//                together or to the namespace, or do not lead to the wanted position; already_exists: the namespace
//                holds data and `replace` is not set; io_error.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kv/database.h"

namespace strata::service {

struct RestoreTarget {
  uint64_t segment = 0;
  uint64_t offset = 0;
};
// "SEGMENT:OFFSET"; nullopt: it is not.
std::optional<RestoreTarget> parse_restore_target(std::string_view text);

struct RestoreRequest {
  std::string name_space;
  // What the namespace was called when the backups were made; empty: the same.
  std::string source;
  // Empty: none, then the segments begin with the first.
  std::string snapshot;
  // Files, and directories whose files *.wal are meant.
  std::vector<std::string> segments;
  std::optional<RestoreTarget> target;
  bool replace = false;
};

struct RestoreReport {
  // Of the state that was restored.
  uint64_t segment = 0;
  uint64_t offset = 0;
  uint64_t lsn = 0;
  uint64_t files = 0;
  // Of the snapshot.
  uint64_t values = 0;
  uint64_t rows = 0;
  // Of both.
  uint64_t objects = 0;
  uint64_t object_bytes = 0;
  // Of the log.
  uint64_t records = 0;
};

// Everything but the loading: no store is looked at.
Result<RestoreReport> check_restore(const RestoreRequest& request);
Result<RestoreReport> restore(const kv::Database& database, const RestoreRequest& request,
                              Clock& clock = system_clock());

}  // namespace strata::service
