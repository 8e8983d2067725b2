// ArchiveImport: an archive on its way into the store.
//
// Purpose:       the three steps of an import: put its entries, look the tree over, make the version visible.
// Ownership:     borrows the FileSystem and the request's source.
// Thread safety: one coroutine or thread at a time.
// Invariants:    the caller holds collections off from before put() until after publish(): what was put, or found there
//                already, stays. Each entry that is put has the hash that is its key. Nothing names what was put before
//                publish() commits.
#pragma once

#include <optional>

#include "layers/files/entries.h"
#include "service/file_archives.h"
#include "service/file_tree_check.h"

namespace strata::service {

class ArchiveImport {
 public:
  ArchiveImport(FileSystem& system, const ImportRequest& request, const StopFlag& stop);

  // To the archive's end. conflict: a patch, and HEAD is not its base.
  Result<void> put();
  // Holds its thread. The version as it is in this store: another one where directories had to be made anew.
  Result<void> check();
  // conflict as put(): HEAD may have moved.
  Result<ImportAnswer> publish(const Context& context);

 private:
  struct Entry {
    archive::EntryKind kind;
    Hash hash{};
    Bytes stored;
    files::Compression compression = files::Compression::none;
    uint32_t raw_size = 0;
  };

  // made: what HEAD may be besides.
  Result<void> refuse_other_base(const kv::ReadTransaction& transaction, const std::optional<Hash>& made) const;
  Result<void> take_entry(archive::AeorReader& reader);
  Result<void> take_chunk(archive::AeorReader& reader, const Hash& key);
  Result<void> take_record(archive::AeorReader& reader, const Hash& key);
  void take_directory(const Hash& key, BytesView value);
  Result<void> take_deletion(archive::AeorReader& reader);
  void gather(Entry entry);
  Result<void> write_gathered();
  Result<void> name_version(kv::Transaction& transaction);

  FileSystem& system_;
  const ImportRequest& request_;
  const StopFlag& stop_;
  archive::AeorHeader header_;
  ImportAnswer answer_;
  std::vector<Entry> gathered_;
  size_t gathered_bytes_ = 0;
  ArchiveRecords records_;
  // Of the last record: exports have each twice, one behind the other.
  std::optional<Hash> last_record_;
};

}  // namespace strata::service
