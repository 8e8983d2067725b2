#include "faces/rest/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <utility>

namespace strata::rest {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

Error bad(const char* what) { return {ErrorCode::invalid_argument, std::string("malformed request: ") + what}; }

Method to_method(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::get;
    case http::verb::head:
      return Method::head;
    case http::verb::post:
      return Method::post;
    case http::verb::put:
      return Method::put;
    case http::verb::delete_:
      return Method::delete_;
    case http::verb::patch:
      return Method::patch;
    case http::verb::options:
      return Method::options;
    default:
      return Method::other;
  }
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

Error from_beast(const beast::error_code& error) {
  if (error == http::error::bad_version) return ErrorCode::http_version_not_supported;
  if (error == http::error::header_limit) return ErrorCode::headers_too_large;
  return {ErrorCode::invalid_argument, "malformed request: " + error.message()};
}

// "http://authority/path?query" to "/path?query"; nullopt when it is neither that nor a path.
std::optional<std::string_view> origin_form(std::string_view target) {
  if (target.starts_with('/')) return target;
  for (std::string_view scheme : {"http://", "https://"}) {
    if (target.size() <= scheme.size() || !equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const size_t path = target.find_first_of("/?", scheme.size());
    if (path == scheme.size()) return std::nullopt;
    if (path == std::string_view::npos) return "/";
    return target.substr(path);
  }
  return std::nullopt;
}

class BeastParser final : public http::basic_parser<true> {
 public:
  BeastParser(const ParserLimits& limits, RequestHead& head) : limits_(limits), head_(head) {
    body_limit(boost::none);
    header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
  }

  const std::optional<Error>& refused() const { return refused_; }

 private:
  void on_request_impl(http::verb verb, beast::string_view method_text, beast::string_view target, int version,
                       beast::error_code& error) override {
    head_.method = to_method(verb);
    head_.method_text = view(method_text);
    head_.target = view(target);
    head_.http_1_0 = version == 10;
    if (target.size() > limits_.max_target_bytes) refuse(ErrorCode::uri_too_long, error);
  }

  void on_field_impl(http::field name, beast::string_view name_text, beast::string_view value_text,
                     beast::error_code& error) override {
    const std::string_view value = view(value_text);
    if (head_.fields.size() >= limits_.max_fields) return refuse(ErrorCode::headers_too_large, error);
    head_.fields.push_back({view(name_text), value});
    switch (name) {
      case http::field::host:
        if (has_host_) return refuse(bad("more than one Host"), error);
        has_host_ = true;
        break;
      case http::field::content_length:
        // Beast accepts a repeated or comma-separated one whose values agree; a proxy before us may not.
        if (head_.content_length || value.empty() ||
            !std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
          return refuse(bad("Content-Length"), error);
        }
        head_.content_length = content_length_of(value);
        break;
      case http::field::transfer_encoding:
        if (!equals_ignoring_case(value, "chunked")) {
          return refuse({ErrorCode::unimplemented, "transfer encoding not supported: chunked alone is"}, error);
        }
        head_.chunked = true;
        break;
      case http::field::expect:
        if (!equals_ignoring_case(value, "100-continue")) return refuse(ErrorCode::expectation_failed, error);
        head_.expects_continue = true;
        break;
      case http::field::content_encoding:
        // Two fields mean two codings, one upon the other: what "a, b" means, and refused like it.
        head_.content_encoding = head_.content_encoding.empty() ? value : std::string_view("multiple");
        break;
      case http::field::authorization:
        if (head_.authorization.empty()) head_.authorization = value;
        break;
      default:
        if (name == http::field::unknown) unknown_field(view(name_text), value);
    }
  }

  void unknown_field(std::string_view name, std::string_view value) {
    if (name.size() == 9 && equals_ignoring_case(name, "X-API-Key")) {
      if (head_.api_key.empty()) head_.api_key = value;
    } else if (name.size() == 12 && equals_ignoring_case(name, "X-Request-Id")) {
      if (head_.request_id.empty()) head_.request_id = value;
    }
  }

  static uint64_t content_length_of(std::string_view digits) {
    // Beast has refused what does not fit.
    uint64_t value = 0;
    for (char c : digits) value = value * 10 + static_cast<uint64_t>(c - '0');
    return value;
  }

  void on_header_impl(beast::error_code& error) override {
    if (head_.http_1_0) {
      // A 1.0 proxy that does not know chunks would pass them on as the next request.
      if (head_.chunked) return refuse(bad("Transfer-Encoding in HTTP/1.0"), error);
      head_.expects_continue = false;
    } else if (!has_host_) {
      refuse(bad("no Host"), error);
    }
  }

  void refuse(Error refusal, beast::error_code& error) {
    refused_ = std::move(refusal);
    error = http::error::bad_field;
  }

  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view, beast::error_code&) override { return 0; }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, beast::error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  void on_finish_impl(beast::error_code&) override {}
  // Pure in later versions of Beast, unknown to earlier ones: it cannot say `override`.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winconsistent-missing-override"
  void on_trailer_field_impl(http::field, beast::string_view, beast::string_view, beast::error_code&) {}
#pragma clang diagnostic pop

  const ParserLimits& limits_;
  RequestHead& head_;
  std::optional<Error> refused_;
  bool has_host_ = false;
};

Result<void> finish_head(bool keep_alive, RequestHead& head) {
  head.keep_alive = keep_alive;
  if (head.method == Method::other) return {};  // CONNECT host:port among them; refused as an unknown method
  if (head.target == "*" && head.method == Method::options) return {};
  const std::optional<std::string_view> target = origin_form(head.target);
  if (!target || target->find('#') != std::string_view::npos) return bad("request target");
  head.target = *target;
  return {};
}

}  // namespace

void RequestHead::clear() {
  std::vector<HeaderField> kept = std::move(fields);
  kept.clear();
  *this = RequestHead();
  fields = std::move(kept);
}

void RequestParser::reset() {
  scanned_ = 0;
  head_end_ = 0;
  line_count_ = 0;
  chunks_ = ChunkDecoder();
}

// Looks at every line once, however the bytes arrive, so that Beast sees each head once and whole: a client that sends
// 64 KiB byte by byte costs 64 KiB of work.
Result<void> RequestParser::scan_lines(BytesView input) {
  while (head_end_ == 0) {
    const size_t newline = input.find('\n', scanned_);
    const bool complete = newline != BytesView::npos;
    const size_t line_end = complete ? newline + 1 : input.size();
    if (line_end > limits_.max_header_bytes) return ErrorCode::headers_too_large;
    // The request line is the target and a few bytes more.
    if (line_count_ == 0 && line_end - scanned_ > limits_.max_target_bytes + 64) return ErrorCode::uri_too_long;
    if (!complete) return {};
    if (newline == scanned_ || input[newline - 1] != '\r') return bad("a line does not end with CRLF");
    if (line_count_ > 0 && (input[scanned_] == ' ' || input[scanned_] == '\t')) return bad("folded header line");
    if (line_count_ > limits_.max_fields + 1) return ErrorCode::headers_too_large;
    const bool empty = newline - scanned_ == 1;
    scanned_ = newline + 1;
    ++line_count_;
    if (empty) head_end_ = scanned_;
  }
  return {};
}

Result<size_t> RequestParser::parse_head(BytesView input, RequestHead& head) {
  // RFC 9112, 2.2: an empty line before the request line is skipped. One is enough for every client known to send it.
  const size_t skipped = input.starts_with("\r\n") ? 2 : 0;
  const BytesView rest = input.substr(skipped);
  if (rest.empty() || (rest.size() == 1 && rest[0] == '\r')) return size_t{0};
  // What is not HTTP at all (a TLS hello) is answered at once.
  if (static_cast<unsigned char>(rest[0] - 'A') > 25 && static_cast<unsigned char>(rest[0] - 'a') > 25) {
    return bad("not an HTTP request");
  }
  RETURN_IF_ERROR(scan_lines(rest));
  if (head_end_ == 0) return size_t{0};

  head.clear();
  boost::beast::error_code error;
  BeastParser beast(limits_, head);
  const size_t consumed = beast.put(boost::asio::const_buffer(rest.data(), head_end_), error);
  if (beast.refused()) return *beast.refused();
  if (error == http::error::need_more) return bad("incomplete header");
  if (error) return from_beast(error);
  if (consumed != head_end_ || !beast.is_header_done()) return bad("header");
  RETURN_IF_ERROR(finish_head(beast.keep_alive(), head));
  return skipped + head_end_;
}

}  // namespace strata::rest
