// Copying documents away and back: the long work of DocumentBackups, on threads where blocking is allowed.
//
// Purpose:       tables as of one moment into a blob store, and out of it. docs/decisions/document-backups.md says how
//                a copy of hours is one moment.
// Ownership:     borrow everything.
// Thread safety: as many at a time as one likes, but one copy of a table.
// Invariants:    a backup exists when its manifest does, which is written last. A restore reads and checks the whole
//                backup before it writes, and its tables appear in one transaction, all or none.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "blobs/blob_store.h"
#include "kv/database.h"
#include "layers/documents/document_backup.h"
#include "service/tasks.h"

namespace strata::service {

inline constexpr std::string_view manifest_suffix = ".manifest";
inline constexpr std::string_view documents_suffix = ".documents";

struct CopyContext {
  const kv::Database& database;
  Clock& clock;
  kv::Durability durability = kv::Durability::sync;
  TaskProgress& progress;
};

// Of one backup that is about to be restored.
struct RestorePlan {
  documents::BackupManifest manifest;
  // The name that each of its tables gets; empty: none, it is left out.
  std::vector<std::string> names;
};

// The tables of these names; `all`: every one there is. conflict: there is a backup of that id.
Result<void> copy_documents(const CopyContext& context, blobs::BlobStore& store, const std::string& id,
                            std::vector<std::string> names, bool all);
// invalid_argument ("table already exists: X"); corruption and nothing was written.
Result<void> load_documents(const CopyContext& context, blobs::BlobStore& store, const std::string& id,
                            const RestorePlan& plan);
// not_found: there is no such backup.
Result<documents::BackupManifest> load_manifest(blobs::BlobStore& store, const std::string& id);

Error table_exists(std::string_view name);

// At the start, before anything is restored or copied: what a crash left of both.
Result<void> clear_unfinished_tables(const kv::Database& database);
// Writes of these tables no longer note what they change; what was noted goes.
Result<void> end_copies(const kv::Database& database, std::span<const documents::Table> tables);

}  // namespace strata::service
