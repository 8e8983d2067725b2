// FileSystem: what all services of versioned files share.
//
// Purpose:       one cache of directory nodes, one table of pins and one writer a branch for a store.
// Ownership:     borrows the database and the clock, which outlive it; outlives its services, readers and listings.
// Thread safety: any thread.
#pragma once

#include "base/clock.h"
#include "kv/database.h"
#include "service/file_pins.h"

namespace strata::service {

struct FileSystemOptions {
  Clock* clock = &system_clock();
  // Of every commit that makes something visible.
  kv::Durability durability = kv::Durability::sync;
  size_t node_cache_bytes = 64u << 20;
  uint64_t max_file_bytes = uint64_t{10} << 30;
};

class FileSystem {
 public:
  FileSystem(const kv::Database& database, const FileSystemOptions& options);
  ~FileSystem();

  const kv::Database& database() const { return database_; }
  const FileSystemOptions& options() const { return options_; }
  FilePins& pins() const { return *pins_; }

 private:
  const kv::Database& database_;
  const FileSystemOptions options_;
  const std::shared_ptr<FilePins> pins_ = std::make_shared<FilePins>();
};

}  // namespace strata::service
