// What goes before a response's body on the wire.
//
// Purpose:       status lines and heads written by hand: an HTTP library's serializer costs about as much as reading a
//                key does.
// Thread safety: DateCache belongs to one thread; the rest are pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "faces/rest/response.h"

namespace strata::rest {

// "Not Found"; "Unknown" for a number that is not in the table.
std::string_view reason_phrase(int status);

// A small dense index of the known statuses, for arrays of counters; the last one is for all others.
inline constexpr size_t status_slots = 48;
size_t status_slot(int status);

// The Date header's value, formatted once a second.
class DateCache {
 public:
  std::string_view now();

 private:
  int64_t second_ = -1;
  char text_[32];
};

// "Sun, 06 Nov 1994 08:49:37 GMT", 29 bytes.
void format_http_date(int64_t unix_s, char* out);

enum class Framing : uint8_t {
  length,  // Content-Length
  chunked,
  until_close,
  none,  // 1xx, 204 and 304: no body and no length
};

struct HeadOptions {
  Framing framing = Framing::length;
  uint64_t length = 0;
  bool keep_alive = true;
  bool http_1_0 = false;
  std::string_view date;
  std::string_view request_id;
};

void append_response_head(Bytes& out, const Response& response, const HeadOptions& options);

// The size of a chunk, in front of it: "1f\r\n" into `out` (at least 18 bytes); the number of bytes written.
size_t format_chunk_size(uint64_t size, char* out);

}  // namespace strata::rest
