// Backups of documents: the two files that one is made of (docs/formats/documents-backup.md).
//
// Purpose:       the documents of any number of tables as of one moment, in frames that show damage; and the manifest,
//                written last, which says what the tables are and how the documents' file must look.
// Ownership:     writers and readers borrow their sink or source. Items view what lives until the next call.
// Thread safety: none.
// Invariants:    a file of documents first holds copied items, by table and key, each once; then changes, in the order
//                in which they replace what came before them. Memory is that of one frame: 256 KiB or one document.
// Errors:        of the readers: corruption, with the place, for everything that is not as it was written; and the
//                source's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "archive/frames.h"
#include "layers/documents/document_text.h"
#include "layers/documents/tables.h"

namespace strata::documents {

inline constexpr size_t max_backup_tables = 10'000;

struct BackupItem {
  uint32_t table = 0;  // of the manifest's tables
  bool is_change = false;
  BytesView key;
  std::optional<BytesView> text;  // absent: removed; of changes alone
};

class BackupWriter {
 public:
  explicit BackupWriter(ByteSink& sink);
  // First.
  Result<void> begin() { return frames_.begin(); }
  Result<void> add(const BackupItem& item);
  // Last.
  Result<void> finish();
  uint64_t items() const { return items_; }
  // Of everything in front of the last frame, after finish().
  archive::Digest128 digest() const { return digest_; }
  uint64_t bytes() const { return frames_.bytes(); }

 private:
  archive::FrameWriter frames_;
  uint64_t items_ = 0;
  archive::Digest128 digest_;
};

class BackupReader {
 public:
  BackupReader(ByteSource& source, size_t tables);
  // First.
  Result<void> begin() { return frames_.begin(); }
  // Checked: key and text are such as are stored. nullopt: the end, and the file was whole in itself.
  Result<std::optional<BackupItem>> next();
  uint64_t items() const { return items_; }
  // Of everything in front of the last frame, after the end.
  archive::Digest128 digest() const { return digest_; }
  uint64_t bytes() const { return frames_.bytes(); }

 private:
  Result<void> check(const BackupItem& item);
  Result<void> end();

  archive::FrameReader frames_;
  const size_t tables_;
  uint64_t items_ = 0;
  bool in_changes_ = false;
  bool open_ = false;
  // Of the copied item before.
  std::optional<uint32_t> table_;
  Bytes key_;
  archive::Digest128 digest_;
};

struct BackupManifest {
  int64_t created_us = 0;  // wall clock
  // Without numbers; what their rows say.
  std::vector<Table> tables;
  uint64_t items = 0;
  uint64_t bytes = 0;
  archive::Digest128 digest;
};
Result<void> write_manifest(ByteSink& sink, const BackupManifest& manifest);
Result<BackupManifest> read_manifest(ByteSource& source);

}  // namespace strata::documents
