// RequestParser: bytes of a connection to the head of a request.
//
// Purpose:       Boost.Beast's parser behind a plain interface, with what Beast leaves open refused: obsolete folding,
//                bare line feeds, repeated Content-Length, Transfer-Encoding other than chunked, Host missing or
//                repeated. Whatever two HTTP implementations could read differently is an error here.
// Ownership:     a RequestHead borrows from the input it was parsed from.
// Thread safety: none.
// Invariants:    after an error the connection cannot go on: where the next request begins is unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "faces/rest/chunk_decoder.h"
#include "faces/rest/request.h"

namespace strata::rest {

struct ParserLimits {
  size_t max_header_bytes = 65'536;  // request line, fields and the empty line
  size_t max_target_bytes = 32'768;
  size_t max_fields = 256;
};

struct RequestHead {
  Method method = Method::other;
  std::string_view method_text;
  // Path and query; of the absolute form (http://host/path) only these. "*" for OPTIONS *.
  std::string_view target;
  std::vector<HeaderField> fields;
  bool http_1_0 = false;
  bool keep_alive = false;
  bool chunked = false;
  bool expects_continue = false;
  std::optional<uint64_t> content_length;
  // Empty when absent.
  std::string_view content_encoding;
  std::string_view authorization;
  std::string_view api_key;
  std::string_view request_id;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  void clear();
};

class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits = {}) : limits_(limits) {}

  // Tries to parse a head from the front of `input`; until it succeeds, call again with the same bytes and more behind
  // them (they may have moved). The number of bytes the head took; 0: more bytes are needed.
  Result<size_t> parse_head(BytesView input, RequestHead& head);

  // Of a chunked body, after parse_head.
  Result<ChunkDecoder::Step> decode_chunked(BytesView input, std::span<char> output) {
    return chunks_.decode(input, output);
  }

  // Before the next request.
  void reset();

 private:
  Result<void> scan_lines(BytesView input);

  const ParserLimits limits_;
  size_t scanned_ = 0;     // up to here input holds complete lines
  size_t head_end_ = 0;    // behind the empty line, once seen
  size_t line_count_ = 0;  // complete lines, the request line included
  ChunkDecoder chunks_;
};

}  // namespace strata::rest
