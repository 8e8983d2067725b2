// What a GET of bytes answers: all of them, the range that is asked for, or that there is none such.
//
// Purpose:       Range, If-Range, 206 and 416 once, for every model that has bytes.
// Ownership:     values; the stream keeps the reader.
// Thread safety: pure functions; a reader is its request's.
// Invariants:    a range counts only while the client's copy, where it names one, is of the tag that is answered.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "faces/rest/byte_range.h"
#include "faces/rest/request.h"
#include "faces/rest/response.h"

namespace strata::rest {

struct ByteSelection {
  uint64_t size = 0;  // of the whole
  std::optional<ByteRange> range;

  bool is_unsatisfiable() const { return range && range->count == 0; }
  bool is_partial() const { return range && range->count > 0; }
};

// Of `size` bytes that have this tag: the range that is asked for, or the whole.
ByteSelection select_bytes(const Request& request, std::string_view tag, uint64_t size);

// 200, 206 or 416. `stream` writes what is selected; content_type as in Response.
Response answer_bytes(const ByteSelection& selected, std::string_view content_type, StreamFunction stream);

// Writes what the reader has until a piece is empty.
template <typename Reader>
StreamFunction stream_of(std::shared_ptr<Reader> reader) {
  return [reader = std::move(reader)](ResponseStream& out) -> Result<void> {
    for (;;) {
      ASSIGN_OR_RETURN(const BytesView piece, reader->next());
      if (piece.empty()) return {};
      RETURN_IF_ERROR(out.write(piece));
    }
  };
}

}  // namespace strata::rest
