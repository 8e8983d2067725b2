// Dates in documents: strings that say a moment.
//
// Purpose:       one reading for filters and indexes: RFC 3339 with its offset, or without one (UTC), with a blank for
//                the T, or the day alone.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    microseconds since 1970-01-01 UTC; digits beyond them are cut.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace strata::documents {

// nullopt: it is no date. Years 0000 to 9999; a leap second counts as the second after it.
std::optional<int64_t> parse_date_us(std::string_view text);

}  // namespace strata::documents
