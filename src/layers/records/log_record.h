// The namespace's log: one record for every transaction that changed the namespace, in commit order.
//
// Purpose:       what change streams, replicas and backups read. A record is written in the transaction it describes,
//                under a key that the commit's versionstamp completes: it never conflicts, and its order is that of the
//                commits.
// Ownership:     encode returns bytes of its own; decode returns views into what it was given.
// Thread safety: pure functions, and as the transaction that is passed.
// Invariants:    docs/formats/records.md is the format. decode accepts exactly what encode writes: any other bytes are
//                `corruption`, never a crash.
#pragma once

#include <span>
#include <vector>

#include "kv/transaction.h"
#include "layers/records/keys.h"
#include "layers/records/operation.h"

namespace strata::records {

struct LogRecord {
  // Microseconds since 1970, by the clock of the server that wrote it: for people. Order is the key's.
  int64_t wall_us = 0;
  std::vector<Operation> operations;
  friend bool operator==(const LogRecord&, const LogRecord&) = default;
};

Bytes encode_log_record(int64_t wall_us, std::span<const Operation> operations);
Result<LogRecord> decode_log_record(BytesView bytes);

// What positions and statistics need to know of a record: without its operations in memory, and without its checksum.
struct LogRecordSummary {
  int64_t wall_us = 0;
  uint64_t operations = 0;
  // Its bytes and those of the large objects that it puts.
  uint64_t weight = 0;
};
Result<LogRecordSummary> summarize_log_record(BytesView bytes);

// At most once in a transaction and namespace: a second record would have the same key.
void append_to_log(kv::Transaction& transaction, const Namespace& space, int64_t wall_us,
                   std::span<const Operation> operations);

struct StoredLogRecord {
  Stamp stamp{};
  Bytes bytes;  // for decode_log_record
};
// The records behind `after` (nullptr: from the first), at most `limit`.
// log_page.h has more, for those who read much.
Result<std::vector<StoredLogRecord>> read_log(const kv::ReadTransaction& transaction, const Namespace& space,
                                              const Stamp* after, size_t limit);

// Of others' records that are read on the way.
struct LogSearchLimits {
  size_t parts = 20'000;
  size_t bytes = 32u << 20;
};

enum class InLog { no, yes, not_known };
struct LogSearch {
  InLog found = InLog::no;
  Stamp stamp{};  // yes: of the record
};

// Whether a commit behind this version wrote exactly this record: how a writer that was not told the outcome of its
// commit recognises it. not_known: there is more behind that version than the limits let it read. Another's record with
// the same operations, made in the same microsecond, is taken for it.
Result<LogSearch> find_in_log(const kv::ReadTransaction& transaction, const Namespace& space, kv::Version after,
                              BytesView record, const LogSearchLimits& limits = {});

}  // namespace strata::records
