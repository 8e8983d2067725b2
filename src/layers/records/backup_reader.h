// BackupReader: reads what BackupWriter wrote, and nothing else.
//
// Purpose:       a backup comes from a disk that may be damaged, from another server or from an enemy: every byte is
//                checked before it is handed out, every number before it is believed.
// Ownership:     borrows the source. Items are views that live until the next call.
// Thread safety: none.
// Invariants:    what is handed out lies in a frame whose checksum is right; only the item `end` says that nothing is
//                missing, and it comes after the footer was compared with everything that was read. Memory follows the
//                bytes that came, never a length that a file claims. Errors are `corruption` (not a backup, damaged,
//                cut off: the message says where), or the source's, and final.
#pragma once

#include "layers/records/backup_format.h"

namespace strata::records {

class BackupReader {
 public:
  explicit BackupReader(ByteSource& source);

  // First.
  Result<BackupHeader> read_header();
  // Then these; after `end` no more.
  Result<BackupItem> next();
  const BackupTotals& totals() const { return totals_; }

 private:
  using Frame = backup_format::Frame;

  Result<void> read_frame();
  Result<void> open_frame();
  Result<BackupItem> next_state();
  Result<BackupItem> next_object();
  Result<BackupItem> next_record();
  Result<BackupItem> end();
  Result<void> check_footer();

  archive::FrameReader frames_;
  BytesView& rest_;  // of the frame's payload, what has not been handed out
  Frame type_ = Frame::header;
  BytesView row_;  // the row that the columns of this frame belong to
  bool in_row_ = false;
  bool in_log_ = false;
  bool ended_ = false;
  uint64_t object_left_ = 0;
  BackupKind kind_ = BackupKind::snapshot;
  BackupPlace place_;
  BackupTotals totals_;
};

}  // namespace strata::records
