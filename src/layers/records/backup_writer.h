// BackupWriter: makes a snapshot or a segment file, piece by piece.
//
// Purpose:       the one place that knows how the bytes of a backup are written (docs/formats/backup.md).
// Ownership:     borrows the sink.
// Thread safety: none.
// Invariants:    memory is that of one frame: 256 KiB, or the largest item. What is written without finish() is not a
//                backup: readers refuse it.
#pragma once

#include "layers/records/backup_format.h"

namespace strata::records {

class BackupWriter {
 public:
  explicit BackupWriter(ByteSink& sink);

  // First.
  Result<void> begin(const BackupHeader& header);

  // Then what a snapshot copies, in any order. A column belongs to the row that was added last.
  Result<void> add_value(BytesView key, BytesView value);
  Result<void> add_row(BytesView key);
  Result<void> add_column(BytesView name, BytesView value);

  // With a key: an object of the state; without: one that the record which was added last puts, in the order of its
  // operations. Then exactly object.size bytes.
  Result<void> begin_object(const BackupObject& object);
  Result<void> add_object_bytes(BytesView bytes);

  // Then the log: lsns without a gap from the header's start, stamps and positions ascending; else corruption.
  Result<void> add_record(const BackupPlace& place, BytesView record);

  // Last.
  Result<void> finish();
  // Of the last record, or the header's start.
  const BackupPlace& end() const { return end_; }
  const BackupTotals& totals() const { return totals_; }
  // Handed to the sink.
  uint64_t bytes() const { return frames_.bytes(); }

 private:
  // Room for an item of so many bytes in a frame of this type.
  Result<void> prepare(backup_format::Frame type, size_t item_bytes);

  archive::FrameWriter frames_;
  Bytes row_;               // repeated in a frame that goes on with its columns
  uint64_t row_frame_ = 0;  // the number of the frame that names it
  uint64_t object_left_ = 0;
  BackupPlace end_;
  BackupTotals totals_;
};

}  // namespace strata::records
