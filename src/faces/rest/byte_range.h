// The Range header: RFC 9110, section 14, of one range of bytes.
//
// Purpose:       which part of an answer a client asks for.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    a range that is not understood is not there: the whole is the right answer then. Several ranges are
//                answered by the whole, as the RFC allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace strata::rest {

struct ByteRange {
  uint64_t first = 0;
  uint64_t count = 0;  // 0: the range lies behind the end, which is 416
};

// nullopt: the whole.
std::optional<ByteRange> parse_byte_range(std::string_view header, uint64_t size);

// Whether an If-Match or If-None-Match list holds the tag; "*" holds every tag. `weak`: W/"x" counts as "x".
bool lists_tag(std::string_view list, std::string_view tag, bool weak);

}  // namespace strata::rest
