// Content types of files that came without one.
//
// Purpose:       told from the first bytes by libmagic, or from a name's ending.
// Thread safety: any thread; each has a handle of its own, opened at its first call.
// Invariants:    never empty: what is not known is application/octet-stream.
#pragma once

#include <string>

#include "base/bytes.h"

namespace strata::service {

// `first`: what there is of the beginning; no more than the first 4 KiB are looked at.
std::string detect_content_type(BytesView first);
// Of a file that has a name: by its ending where that is a common one, else text or not. For many files at once:
// libmagic takes 0.4 ms for one, which was 40 % of the time of an import.
std::string content_type_of_file(std::string_view name, BytesView first);

}  // namespace strata::service
