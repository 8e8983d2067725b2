// FileServices: what a program needs for versioned files, built and ended together.
//
// Purpose:       the server and the commands that work on a data directory put the same parts together.
// Ownership:     owns the services; borrows the database, which outlives it.
// Thread safety: none; the services have their own.
#pragma once

#include "faces/rest/services.h"
#include "service/file_archives.h"
#include "service/file_collector.h"
#include "service/file_system.h"
#include "service/file_uploads.h"
#include "service/file_versions.h"
#include "service/files.h"

namespace strata::app {

struct FileServices {
  FileServices(const kv::Database& database, kv::Durability durability)
      : system(database, {.durability = durability}),
        files(system),
        versions(system),
        uploads(system),
        collector(system),
        archives(system, versions) {}

  void add_to(rest::Services& services) {
    services.files = &files;
    services.file_versions = &versions;
    services.file_uploads = &uploads;
    services.file_archives = &archives;
    services.file_collector = &collector;
  }

  service::FileSystem system;
  service::Files files;
  service::FileVersions versions;
  service::FileUploads uploads;
  service::FileCollector collector;
  service::FileArchives archives;
};

}  // namespace strata::app
