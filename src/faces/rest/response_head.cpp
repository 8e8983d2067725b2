#include "faces/rest/response_head.h"

#include <time.h>

#include <charconv>
#include <cstring>

#include "base/assert.h"

namespace strata::rest {
namespace {

struct StatusRow {
  int status;
  std::string_view reason;
};
constexpr StatusRow statuses[] = {
    {200, "OK"},
    {404, "Not Found"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};
static_assert(std::size(statuses) < status_slots);

void append_number(Bytes& out, uint64_t value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out.append(text, static_cast<size_t>(end - text));
}

}  // namespace

size_t status_slot(int status) {
  for (size_t i = 0; i < std::size(statuses); ++i) {
    if (statuses[i].status == status) return i;
  }
  return status_slots - 1;
}

std::string_view reason_phrase(int status) {
  const size_t slot = status_slot(status);
  return slot < std::size(statuses) ? statuses[slot].reason : "Unknown";
}

void format_http_date(int64_t unix_s, char* out) {
  static constexpr char days[] = "SunMonTueWedThuFriSat";
  static constexpr char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const time_t seconds = unix_s;
  tm parts{};
  gmtime_r(&seconds, &parts);
  auto two = [](char* at, int value) {
    at[0] = static_cast<char>('0' + value / 10);
    at[1] = static_cast<char>('0' + value % 10);
  };
  std::memcpy(out, "ddd, 00 mmm 0000 00:00:00 GMT", 29);
  std::memcpy(out, days + 3 * parts.tm_wday, 3);
  two(out + 5, parts.tm_mday);
  std::memcpy(out + 8, months + 3 * parts.tm_mon, 3);
  two(out + 12, (parts.tm_year + 1900) / 100);
  two(out + 14, (parts.tm_year + 1900) % 100);
  two(out + 17, parts.tm_hour);
  two(out + 20, parts.tm_min);
  two(out + 23, parts.tm_sec);
}

std::string_view DateCache::now() {
  timespec time{};
  // The coarse clock costs 5 ns and is right to a few milliseconds.
  clock_gettime(CLOCK_REALTIME_COARSE, &time);
  if (time.tv_sec != second_) {
    second_ = time.tv_sec;
    format_http_date(second_, text_);
  }
  return {text_, 29};
}

void append_response_head(Bytes& out, const Response& response, const HeadOptions& options) {
  // Most answers are 200 on 1.1: one append instead of three.
  if (response.status == 200) {
    out += "HTTP/1.1 200 OK\r\nDate: ";
  } else {
    out += "HTTP/1.1 ";
    append_number(out, static_cast<uint64_t>(response.status));
    out.push_back(' ');
    out.append(reason_phrase(response.status)).append("\r\nDate: ");
  }
  out.append(options.date);
  if (!response.content_type.empty() && options.framing != Framing::none) {
    out.append("\r\nContent-Type: ").append(response.content_type);
  }
  if (options.framing == Framing::length) {
    out += "\r\nContent-Length: ";
    append_number(out, options.length);
  } else if (options.framing == Framing::chunked) {
    out += "\r\nTransfer-Encoding: chunked";
  }
  if (!options.request_id.empty()) out.append("\r\nX-Request-Id: ").append(options.request_id);
  if (!options.keep_alive) {
    out += "\r\nConnection: close";
  } else if (options.http_1_0) {
    out += "\r\nConnection: keep-alive";
  }
  out += "\r\n";
  out += response.header_lines;
  out += "\r\n";
}

size_t format_chunk_size(uint64_t size, char* out) {
  char* end = std::to_chars(out, out + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return static_cast<size_t>(end - out);
}

}  // namespace strata::rest
