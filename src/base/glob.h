// Globs: *, ? and [abc], as shells write them.
//
// Purpose:       names picked by a pattern.
// Thread safety: pure functions.
// Invariants:    time is at most that of pattern times text, whatever the pattern. * and ? and classes match no '/', **
//                does. ? and a class match one code point; a class is of single characters and ranges, negated by ! or
//                ^ in front; one that does not end matches '[' itself. \ takes the next character as it is.
#pragma once

#include <string_view>

namespace strata {

bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace strata
