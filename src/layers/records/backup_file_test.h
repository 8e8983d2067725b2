// Backups in memory, whole or made by hand, for tests and the fuzzer.
#pragma once

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/memory_stream.h"
#include "layers/records/backup_reader.h"
#include "layers/records/backup_writer.h"

namespace strata::records {

// A file of any frames, with the checksums that they need to be looked at.
class HandMadeBackup {
 public:
  HandMadeBackup() : bytes(backup_format::kind.magic) { bytes.push_back(backup_format::kind.version); }

  void add_frame(uint8_t type, BytesView payload) {
    Bytes frame(8, '\0');
    frame.push_back(static_cast<char>(type));
    append_le32(frame, static_cast<uint32_t>(payload.size()));
    frame.append(payload);
    Bytes checksum;
    append_le64(checksum, XXH3_64bits_withSeed(frame.data() + 8, frame.size() - 8, frames_++));
    bytes.append(frame.replace(0, 8, checksum));
  }

  // `rest`: of the footer, in front of the checksum of everything before it.
  void add_footer(BytesView rest) {
    const XXH128_hash_t digest = XXH3_128bits(bytes.data(), bytes.size());
    Bytes payload(rest);
    append_le64(payload, digest.low64);
    append_le64(payload, digest.high64);
    add_frame(static_cast<uint8_t>(backup_format::Frame::footer), payload);
  }

  Bytes bytes;

 private:
  uint64_t frames_ = 0;
};

// One line an item; ends with "end", or with the error.
inline std::string describe_backup(ByteSource& source) {
  BackupReader reader(source);
  const auto header = reader.read_header();
  if (!header.ok()) return "error: " + std::string(header.error().message()) + "\n";
  std::string text = header->name_space + " " + header->log_id + " " + std::to_string(header->start.lsn) + "\n";
  for (;;) {
    const auto item = reader.next();
    if (!item.ok()) return text + "error: " + std::string(item.error().message()) + "\n";
    const auto size = [](BytesView bytes) { return std::to_string(bytes.size()); };
    switch (item->type) {
      case BackupItemType::value:
        text += "value " + printable(item->key) + " " + size(item->bytes);
        break;
      case BackupItemType::row:
        text += "row " + printable(item->key);
        break;
      case BackupItemType::column:
        text += "column " + printable(item->key) + " " + printable(item->name) + " " + size(item->bytes);
        break;
      case BackupItemType::object:
        text += "object " + printable(item->object.key) + " " + std::to_string(item->object.reference.size);
        break;
      case BackupItemType::object_bytes:
        text += "bytes " + size(item->bytes);
        break;
      case BackupItemType::record:
        text += "record " + std::to_string(item->place.lsn) + " " + printable(item->bytes);
        break;
      case BackupItemType::end:
        return text + "end " + std::to_string(item->place.lsn) + "\n";
    }
    text += "\n";
  }
}

}  // namespace strata::records
