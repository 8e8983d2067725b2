#include "faces/rest/byte_answer.h"

#include <fmt/format.h>

namespace strata::rest {

ByteSelection select_bytes(const Request& request, std::string_view tag, uint64_t size) {
  ByteSelection selected{.size = size, .range = std::nullopt};
  const auto header = request.header("range");
  if (!header) return selected;
  const auto condition = request.header("if-range");
  if (condition && (*condition == "*" || !lists_tag(*condition, tag, false))) return selected;
  selected.range = parse_byte_range(*header, size);
  return selected;
}

Response answer_bytes(const ByteSelection& selected, std::string_view content_type, StreamFunction stream) {
  if (selected.is_unsatisfiable()) {
    Response response = error_response(ErrorCode::range_not_satisfiable);
    response.add_header("Content-Range", fmt::format("bytes */{}", selected.size));
    return response;
  }
  const auto& range = selected.range;
  Response response = Response::streamed(content_type, std::move(stream), range ? range->count : selected.size);
  if (range) {
    response.status = 206;
    response.add_header("Content-Range",
                        fmt::format("bytes {}-{}/{}", range->first, range->first + range->count - 1, selected.size));
  }
  return response;
}

}  // namespace strata::rest
