// What a backup is made of: both kinds of file, the snapshot of a namespace and one segment of its log.
//
// Purpose:       the words that backup_writer.h and backup_reader.h share. docs/formats/backup.md is the format.
// Ownership:     an item's views live until the reader reads on; everything else is a value.
// Thread safety: values.
// Invariants:    the numbers are those of the format and never change.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "archive/frames.h"
#include "base/byte_stream.h"
#include "base/bytes.h"
#include "base/result.h"
#include "layers/records/keys.h"
#include "layers/records/operation.h"

namespace strata::records {

enum class BackupKind : uint8_t {
  snapshot = 1,  // everything of a namespace, and the records that were committed while it was copied
  segment = 2,   // the records of one segment of its log
};

// A place in a namespace's log: behind a record, or in front of the first one.
struct BackupPlace {
  uint64_t segment = 0;
  uint64_t offset = 0;
  uint64_t lsn = 0;  // of that record; 0: none
  Stamp stamp{};
  friend bool operator==(const BackupPlace&, const BackupPlace&) = default;
};

struct BackupHeader {
  BackupKind kind = BackupKind::snapshot;
  std::string name_space;
  // Which log the places are of (X-Log-Id).
  std::string log_id;
  int64_t created_us = 0;  // wall clock
  // The records of the file are those behind this place, without a gap.
  BackupPlace start;
  friend bool operator==(const BackupHeader&, const BackupHeader&) = default;
};

struct BackupTotals {
  uint64_t values = 0;
  uint64_t rows = 0;  // a row that is copied in several pieces counts once a piece
  uint64_t columns = 0;
  uint64_t objects = 0;
  uint64_t object_bytes = 0;
  uint64_t records = 0;
  friend bool operator==(const BackupTotals&, const BackupTotals&) = default;
};

struct BackupObject {
  ObjectReference reference;
  BytesView key;  // empty: the object of the record in front of it
};

enum class BackupItemType : uint8_t { value, row, column, object, object_bytes, record, end };

struct BackupItem {
  BackupItemType type = BackupItemType::end;
  BytesView key;    // value; row; column: its row's
  BytesView name;   // column
  BytesView bytes;  // value, column; object_bytes: the next piece of the object; record: as the log encodes it
  BackupObject object;
  BackupPlace place;  // record: behind it; end: the state that the whole file holds
};

namespace backup_format {

inline constexpr archive::FileKind kind{.magic = "STRATABK", .version = 1};
inline constexpr size_t max_log_id_bytes = 128;

enum class Frame : uint8_t { header = 1, state = 2, object = 3, object_bytes = 4, log = 5, footer = 6 };
enum class StateItem : uint8_t { value = 1, row = 2, column = 3 };

}  // namespace backup_format
}  // namespace strata::records
