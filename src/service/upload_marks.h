// Marks of uploads as the services use them.
//
// Purpose:       what an upload relies on stays for a day, and who commits it learns whether it has.
// Thread safety: as the transaction.
#pragma once

#include "layers/files/versions.h"

namespace strata::service {

inline constexpr int64_t upload_mark_lifetime_ms = 24LL * 3600 * 1000;

// Marks of one upload stand beside one that says that it is wanted as a whole: it expires with them, and is the first
// of them, so that it is cleared no later than any other. One key to read instead of 40,000.
inline constexpr Hash whole_upload{};

inline Future<std::optional<Bytes>> get_upload_mark(const kv::ReadTransaction& transaction,
                                                    const files::SessionId& session, const Hash& chunk) {
  Bytes key = files::upload_marks().begin;
  key.append(reinterpret_cast<const char*>(session.data()), session.size());
  key.append(bytes_of(chunk));
  return transaction.get(key);
}

}  // namespace strata::service
