// The routes of backups of documents.
//
// Purpose:       /tables/{t}/backup and /restore, and the same of many tables.
// Ownership:     the rows are static data.
// Thread safety: constant.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> document_backup_routes();

}  // namespace strata::rest
