// A directory of the machine into a store, as bench_files does it.
//
// Purpose:       what git, restic and borg are compared with: every regular file read, named, packed, stored; durable
//                at the end.
// Ownership:     borrows the services.
// Thread safety: one call at a time.
#pragma once

#include <filesystem>

#include "service/files.h"

namespace strata::bench {

struct Imported {
  uint64_t files = 0;
  uint64_t bytes = 0;
};
// Symlinks and what is no file are passed over. Unchanged files stay as they are.
Result<Imported> import_directory(service::Files& files, const std::filesystem::path& directory, int threads);

}  // namespace strata::bench
