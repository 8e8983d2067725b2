// The table of backup operations: copies of the log's segments, snapshots as files and as streams.
#pragma once

#include <span>

#include "faces/rest/route.h"

namespace strata::rest {

std::span<const Route> backup_routes();

}  // namespace strata::rest
