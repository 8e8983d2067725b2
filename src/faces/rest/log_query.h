// What a reader of a log asks for: the parameters and headers of GET /log, checked.
//
// Ownership:     log_id views the request.
// Thread safety: pure functions.
// Invariants:    whole decimal numbers of 64 bits without signs, blanks or leading zeros; anything else is
//                invalid_argument that names the parameter.
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "service/log.h"

namespace strata::rest {

// As they came; nullopt: absent.
struct LogQueryText {
  std::optional<BytesView> after_segment;
  std::optional<BytesView> after_offset;
  std::optional<BytesView> limit;
  std::optional<BytesView> follow;
  std::optional<BytesView> log;
  std::optional<std::string_view> accept;
  std::optional<std::string_view> last_event_id;
};

struct LogQuery {
  std::optional<service::LogPosition> after;
  uint64_t limit = 0;  // 0: none
  bool events = false;
  bool follow = false;
  BytesView log_id;
};

Result<LogQuery> parse_log_query(const LogQueryText& text);
Result<uint64_t> parse_number(BytesView text, std::string_view name);
// "segment:offset"
Result<service::LogPosition> parse_event_id(std::string_view text);

}  // namespace strata::rest
