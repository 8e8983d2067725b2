// Segments of a namespace's log: where a record has its position, what is kept, and how far the log was looked at.
//
// Purpose:       positions are what consumers of the log remember. They are derived from the keys and never counted by
//                writers, so that a write stays blind: rows of segments say where one ends, and the sizes of records do
//                the rest. docs/log.md tells the rules, docs/formats/records.md the bytes.
// Ownership:     values.
// Thread safety: pure functions, and as the transaction that is passed.
// Invariants:    rows are numbered without gaps from the first kept one; `after` grows with the number. A row, once
//                there, never changes but for its totals, which are filled in once. decode accepts exactly what encode
//                writes.
#pragma once

#include <compare>
#include <optional>
#include <vector>

#include "kv/transaction.h"
#include "layers/records/keys.h"

namespace strata::records {

// offset: bytes of the segment's records up to and with the record that is meant. Segments count from 1; {0, 0} is
// before everything, {s, 0} the start of s.
struct LogPosition {
  uint64_t segment = 0;
  uint64_t offset = 0;
  friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

// Of a log from its first record on, also where the first segments are no longer kept.
struct LogTotals {
  uint64_t records = 0;
  uint64_t operations = 0;
  uint64_t bytes = 0;   // of encoded records
  uint64_t weight = 0;  // bytes, and the sizes of the large objects that the records put
  friend bool operator==(const LogTotals&, const LogTotals&) = default;
};

struct LogSegment {
  uint64_t number = 0;  // in the key
  // Records behind this one belong to the segment or to a later one.
  Stamp after{};
  // A record that would make the segment heavier opens the next one.
  uint64_t limit_bytes = 0;
  int64_t opened_us = 0;
  // What follows is not known yet of a segment that a seal has opened.
  bool totals_known = false;
  LogTotals before;
  // The offset at which the segment before this one ended: a consumer that has read all of it has missed nothing when
  // it is no longer kept.
  uint64_t previous_bytes = 0;
  friend bool operator==(const LogSegment&, const LogSegment&) = default;
};

Bytes encode_log_segment(const LogSegment& segment);
Result<LogSegment> decode_log_segment(uint64_t number, BytesView bytes);

// Rows from number `from` on, at most `limit`.
Result<std::vector<LogSegment>> read_log_segments(const kv::ReadTransaction& transaction, const Namespace& space,
                                                  uint64_t from, size_t limit);
Result<std::optional<LogSegment>> read_log_segment(const kv::ReadTransaction& transaction, const Namespace& space,
                                                   uint64_t number);
Result<std::optional<LogSegment>> read_last_log_segment(const kv::ReadTransaction& transaction, const Namespace& space);
void write_log_segment(kv::Transaction& transaction, const Namespace& space, const LogSegment& segment);
// The same with the versionstamp of this transaction as `after`.
void write_stamped_log_segment(kv::Transaction& transaction, const Namespace& space, LogSegment segment);
// So too; its totals are not known.
void write_log_seal(kv::Transaction& transaction, const Namespace& space, uint64_t number, uint64_t limit_bytes,
                    int64_t opened_us);

// Records up to this stamp are gone from the log; zeros: none is. What only they refer to may be cleared.
Result<Stamp> read_first_kept(const kv::ReadTransaction& transaction, const Namespace& space);
// Forgets the segments below `first`, which is kept, and their records.
void drop_log_segments(kv::Transaction& transaction, const Namespace& space, const LogSegment& first);

// How far the log has been looked at, stored now and then so that a start need not look at all of it.
struct LogCheckpoint {
  Stamp stamp{};  // of the last record that counts
  LogPosition position;
  uint64_t segment_weight = 0;  // of position.segment
  LogTotals totals;
  int64_t record_us = 0;  // wall clock of that record
  int64_t wall_us = 0;    // when this was stored
  friend bool operator==(const LogCheckpoint&, const LogCheckpoint&) = default;
};

Bytes encode_log_checkpoint(const LogCheckpoint& checkpoint);
Result<LogCheckpoint> decode_log_checkpoint(BytesView bytes);
Result<std::optional<LogCheckpoint>> read_log_checkpoint(const kv::ReadTransaction& transaction,
                                                         const Namespace& space);
void write_log_checkpoint(kv::Transaction& transaction, const Namespace& space, const LogCheckpoint& checkpoint);

}  // namespace strata::records
