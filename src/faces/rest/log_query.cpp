#include "faces/rest/log_query.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/parse_number.h"

namespace strata::rest {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

// Whether a list of media types names this one; weights and parameters count for nothing.
bool names_type(std::string_view accept, std::string_view type) {
  while (!accept.empty()) {
    std::string_view item = accept.substr(0, accept.find(','));
    accept.remove_prefix(std::min(accept.size(), item.size() + 1));
    item = item.substr(0, item.find(';'));
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
    if (equal_ignoring_case(item, type)) return true;
  }
  return false;
}

}  // namespace

Result<uint64_t> parse_number(BytesView text, std::string_view name) {
  const auto value = strata::parse_number<uint64_t>(text);
  const bool padded = text.size() > 1 && text[0] == '0';
  if (!value || padded) {
    return Error(ErrorCode::invalid_argument, fmt::format("{} must be a whole number from 0 on", name));
  }
  return *value;
}

Result<service::LogPosition> parse_event_id(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return Error(ErrorCode::invalid_argument, "Last-Event-ID must be segment:offset, as the events say it");
  }
  service::LogPosition position;
  ASSIGN_OR_RETURN(position.segment, parse_number(text.substr(0, colon), "the segment of Last-Event-ID"));
  ASSIGN_OR_RETURN(position.offset, parse_number(text.substr(colon + 1), "the offset of Last-Event-ID"));
  return position;
}

Result<LogQuery> parse_log_query(const LogQueryText& text) {
  LogQuery query;
  if (text.after_segment || text.after_offset) {
    query.after.emplace();
    if (text.after_segment) {
      ASSIGN_OR_RETURN(query.after->segment, parse_number(*text.after_segment, "after_segment"));
    }
    if (text.after_offset) {
      ASSIGN_OR_RETURN(query.after->offset, parse_number(*text.after_offset, "after_offset"));
    }
  }
  if (text.limit) {
    ASSIGN_OR_RETURN(query.limit, parse_number(*text.limit, "limit"));
    if (query.limit == 0) return Error(ErrorCode::invalid_argument, "limit must be at least 1");
  }
  query.events = text.accept && names_type(*text.accept, "text/event-stream");
  query.follow = query.events;
  if (text.follow) {
    if (*text.follow != "true" && *text.follow != "false") {
      return Error(ErrorCode::invalid_argument, "follow must be true or false");
    }
    query.follow = *text.follow == "true";
  }
  if (query.events && text.last_event_id && !text.last_event_id->empty()) {
    ASSIGN_OR_RETURN(query.after, parse_event_id(*text.last_event_id));
  }
  if (text.log) query.log_id = *text.log;
  return query;
}

}  // namespace strata::rest
