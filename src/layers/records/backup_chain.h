// BackupChain: a snapshot and segments, one after the other, as one history.
//
// Purpose:       decides what of each file counts: files must be of one log and join without a gap, what was had before
//                is passed over, and nothing beyond the wanted position is handed out. Loading and mere checking are
//                the same walk with another consumer.
// Ownership:     borrows the consumer.
// Thread safety: none.
// Invariants:    every file is read to its end and verified, also what is passed over. The consumer gets records in
//                order, each once, decoded and checked. After an error nothing more may be added.
// Errors:        corruption: a file is damaged, or does not say what a log says; invalid_argument: the files are sound
//                but do not belong together, or do not lead to the wanted position.
#pragma once

#include <optional>
#include <string>

#include "layers/records/backup_reader.h"
#include "layers/records/log_record.h"

namespace strata::records {

class BackupConsumer {
 public:
  virtual ~BackupConsumer() = default;
  // value, row and column. Views live until the call returns.
  virtual Result<void> put(const BackupItem& item) = 0;
  // An object: of the state with its key, else one that the last record puts. Then its bytes, in pieces.
  virtual Result<void> begin_object(const BackupObject& object) = 0;
  virtual Result<void> add_object_bytes(BytesView bytes) = 0;
  // bytes: the whole record, of which `record` holds views.
  virtual Result<void> add_record(const BackupPlace& place, BytesView bytes, const LogRecord& record) = 0;
};

// Where a chain shall end: behind the record at this position; offset 0: in front of the first record of the segment.
struct BackupTarget {
  uint64_t segment = 0;
  uint64_t offset = 0;
};

class BackupChain {
 public:
  BackupChain(BackupConsumer& consumer, std::optional<BackupTarget> target) : consumer_(consumer), target_(target) {}

  // A snapshot (the first file or none) or a segment (in the order of their records).
  Result<BackupHeader> add(ByteSource& source);
  // After the last one: invalid_argument when the target was not reached, or nothing was added.
  Result<void> finish();
  // The place of the state that the consumer has now.
  const BackupPlace& place() const { return place_; }

 private:
  Result<void> check_header(const BackupHeader& header);
  Result<void> add_items(BackupReader& reader, const BackupHeader& header);
  Result<void> add_record(const BackupItem& item);
  bool is_behind_target(const BackupPlace& place) const;
  // Whether the record comes behind the target; invalid_argument when it steps over it.
  Result<bool> is_beyond(const BackupPlace& place) const;
  Result<void> add_object(const BackupItem& item);

  BackupConsumer& consumer_;
  const std::optional<BackupTarget> target_;
  bool started_ = false;
  std::string log_id_;
  BackupPlace place_;
  // Of the last record that was read, also one beyond the target.
  BackupPlace read_;
  // A snapshot begins behind a record that it does not hold, or behind a seal: the stamp need not be the record's.
  bool read_a_record_ = false;
  // Of the record that was read last: whether it counts, and which objects are still to follow it.
  bool counts_ = true;
  std::vector<ObjectReference> awaited_;
};

}  // namespace strata::records
