// check_log: does a namespace's log tell how its data came about?
//
// Purpose:       replays the log and compares the result with what is stored, key by key: values and rows, with the
//                stamps of the records that wrote them, and nothing else below the namespace's prefix.
// Thread safety: nobody writes meanwhile.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "kv/database.h"

namespace strata {

// Bytes and operations that clients staged and never committed: a start of the server clears them.
enum class Staged { may_be_there, is_cleared };

// What was compared, in words. Errors: corruption, naming the key.
Result<std::string> check_log(const kv::Database& database, std::string_view name_space,
                              Staged staged = Staged::may_be_there);

}  // namespace strata
