// The log of a collection: which vectors changed, one record a transaction.
//
// Purpose:       a view that stands at an LSN learns what to read anew. Records name ids and hold no data, so replaying
//                one twice, or one whose vectors have changed again since, is right too.
// Ownership:     values.
// Thread safety: as the transaction that is passed.
// Invariants:    a record's key carries the LSN of its last entry; LSNs are dense, so its first is that minus the
//                number of entries plus one. The nonce is drawn anew by each attempt to write: whoever was not told
//                whether it came through looks for it.
// Errors:        corruption.
#pragma once

#include <span>
#include <vector>

#include "layers/vectors/vectors.h"

namespace strata::vectors {

// A record fits one value of the engine.
inline constexpr size_t max_log_entries = 10'000;

enum class LogOperation : uint8_t { insert = 1, update = 2, remove = 3, threshold = 4 };

struct LogEntry {
  LogOperation operation = LogOperation::insert;
  uint64_t id = 0;
  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

struct LogRecord {
  uint64_t last_lsn = 0;
  uint64_t nonce = 0;
  std::vector<LogEntry> entries;
};

Bytes encode_log_record(uint64_t nonce, std::span<const LogEntry> entries);
Result<LogRecord> decode_log_record(uint64_t last_lsn, BytesView stored);

// Records with LSNs above `after`, in order, about `limit` entries of them, at least one record. Done when empty.
Result<std::vector<LogRecord>> read_log(const kv::ReadTransaction& transaction, const Collection& collection,
                                        uint64_t after, size_t limit);

struct LogSize {
  uint64_t records = 0;
  uint64_t entries = 0;
  uint64_t removals = 0;
  uint64_t bytes = 0;
  bool more = false;  // only the first `limit` records were counted
  uint64_t last_lsn = 0;
};
// Of the records with LSNs above `after` up to `upto`, at most `limit` of them.
Result<LogSize> measure_log(const kv::ReadTransaction& transaction, const Collection& collection, uint64_t after,
                            uint64_t upto, size_t limit);
// Of the records with LSNs up to `upto`.
void clear_log(kv::Transaction& transaction, const Collection& collection, uint64_t upto);

// Which image of the view is the one to open: written after the image is on disk.
struct ImageRow {
  uint64_t lsn = 0;
  uint64_t image = 0;  // its number, in its file's name; 0: there is none, the row only keeps the LSN
};
Result<std::optional<ImageRow>> read_image_row(const kv::ReadTransaction& transaction, const Collection& collection);
void set_image_row(kv::Transaction& transaction, const Collection& collection, const ImageRow& row);

}  // namespace strata::vectors
