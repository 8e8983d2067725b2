// The commands of versioned files on a data directory that no server has open: export, diff, import, promote and gc.
//
// Purpose:       what the routes below /admin do, without a server.
// Thread safety: the main thread.
#pragma once

#include "app/command_line.h"
#include "base/result.h"

namespace strata::service {
class FileArchives;
}

namespace strata::app {

Exit run_export(const ExportCommand& command);
Exit run_diff(const DiffCommand& command);
Exit run_import(const ImportCommand& command);
Exit run_promote(const PromoteCommand& command);
Exit run_collect(const CollectCommand& command);

// Where the data of --database PATH lies: PATH itself, or PATH.data where it is an exported file.
struct DatabasePlace {
  std::string directory;
  // The exported file; empty: none.
  std::string archive;
};
DatabasePlace database_place(const std::string& path);
// Before anything is made for it; corruption: it is no exported file.
Result<void> check_exported_file(const DatabasePlace& place);
// Once: afterwards the directory is the truth. What was imported when the last run ended is begun anew.
// corruption: it is damaged.
Result<void> import_exported_file(service::FileArchives& archives, const DatabasePlace& place);

}  // namespace strata::app
