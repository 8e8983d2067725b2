// Content types of files that came without one.
//
// Purpose:       told from the first bytes by libmagic.
// Thread safety: any thread; each has a handle of its own, opened at its first call.
// Invariants:    never empty: what is not known is application/octet-stream.
#pragma once

#include <string>

#include "base/bytes.h"

namespace strata::service {

// `first`: what there is of the beginning; no more than the first 4 KiB are looked at.
std::string detect_content_type(BytesView first);

}  // namespace strata::service
