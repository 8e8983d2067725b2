#include "faces/rest/response.h"

#include <array>
#include <cstdint>

namespace strata::rest {
namespace {

// The length of the UTF-8 sequence that `text` starts with, 0 when it is not one (overlong forms, surrogates and code
// points above U+10FFFF are none).
size_t utf8_sequence(BytesView text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (!continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) >= 0xA0) return 0;
    return 3;
  }
  if (lead > 0xF4 || !continues(1) || !continues(2) || !continues(3)) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) >= 0x90) return 0;
  return 4;
}

// 0: as it is. 'u': \u00XX. Else the letter behind the backslash.
constexpr std::array<char, 128> make_escapes() {
  std::array<char, 128> escapes{};
  for (size_t i = 0; i < 0x20; ++i) escapes[i] = 'u';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes[0x7F] = 'u';
  return escapes;
}
constexpr std::array<char, 128> escapes = make_escapes();

}  // namespace

void append_json_string(Bytes& out, BytesView text) {
  static constexpr char hex[] = "0123456789abcdef";
  out.push_back('"');
  size_t clean = 0;  // where the run that needs no change begins
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x80 && escapes[byte] == 0) {
      ++i;
      continue;
    }
    const size_t sequence = byte < 0x80 ? 0 : utf8_sequence(text.substr(i));
    if (sequence != 0) {
      i += sequence;
      continue;
    }
    out.append(text.substr(clean, i - clean));
    if (byte >= 0x80) {
      out += "\xEF\xBF\xBD";
    } else if (escapes[byte] == 'u') {
      out += "\\u00";
      out.push_back(hex[byte >> 4]);
      out.push_back(hex[byte & 15]);
    } else {
      out.push_back('\\');
      out.push_back(escapes[byte]);
    }
    clean = ++i;
  }
  out.append(text.substr(clean));
  out.push_back('"');
}

Response error_response(const Error& error, bool with_code) {
  Response response;
  response.status = http_status(error.code());
  response.body = "{\"error\":";
  append_json_string(response.body, error.message());
  if (with_code) response.body += ",\"code\":" + std::to_string(response.status);
  response.body.push_back('}');
  if (response.status == 401) response.add_header("WWW-Authenticate", "Bearer");
  if (response.status == 503 || response.status == 429) response.add_header("Retry-After", "1");
  return response;
}

void Response::add_header(std::string_view name, std::string_view value) {
  header_lines.append(name).append(": ");
  for (char c : value) {
    const auto byte = static_cast<uint8_t>(c);
    header_lines.push_back((byte < 0x20 && byte != '\t') || byte == 0x7F ? '?' : c);
  }
  header_lines += "\r\n";
}

Result<void> EventStream::send(BytesView data, std::string_view event, std::string_view id) {
  const auto has_break = [](std::string_view text) { return text.find_first_of("\r\n") != std::string_view::npos; };
  STRATA_ASSERT(!has_break(event) && !has_break(id));
  Bytes message;
  message.reserve(data.size() + event.size() + id.size() + 32);
  if (!id.empty()) message.append("id: ").append(id).append("\n");
  if (!event.empty()) message.append("event: ").append(event).append("\n");
  // Each line of the data is a field of its own: CRLF, CR and LF all end a line for the client.
  for (size_t begin = 0;;) {
    const size_t end = data.find_first_of("\r\n", begin);
    message.append("data: ").append(data.substr(begin, end - begin)).append("\n");
    if (end == BytesView::npos) break;
    begin = end + (data.substr(end).starts_with("\r\n") ? 2 : 1);
  }
  message.push_back('\n');
  RETURN_IF_ERROR(stream_.write(message));
  return stream_.flush();
}

}  // namespace strata::rest
