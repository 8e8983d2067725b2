// The parts of the leader's client that know no HTTP library.
#include <fmt/format.h>

#include <algorithm>

#include "base/percent.h"
#include "service/leader_transfer.h"

namespace strata::service {
namespace {

constexpr size_t max_error_bytes = 4'096;

// host, host:port, [v6] or [v6]:port.
bool is_authority(std::string_view text) {
  std::string_view host = text;
  std::string_view port;
  const size_t bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (port.empty() || port.size() > 5 || !digits || std::stoi(std::string(port)) > 65'535) return false;
  }
  if (bracket != std::string_view::npos) {
    if (host.back() != ']') return false;
    host = host.substr(1, host.size() - 2);
    return !host.empty() && host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
  }
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) { return is_unreserved(c) && c != '~'; });
}

}  // namespace

Result<void> validate_leader_url(std::string_view url) {
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorCode::invalid_argument, fmt::format("\"{}\" {}", printable(url), why));
  };
  std::string_view rest = url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return refuse("does not begin with http:// or https://");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('@') != std::string_view::npos) return refuse("holds a user: a key goes into STRATA_FOLLOW_KEY");
  if (rest.find_first_of("/?#") != std::string_view::npos) return refuse("is more than http://HOST:PORT");
  if (!is_authority(rest)) return refuse("is not http://HOST:PORT");
  return {};
}

Error error_of_answer(LeaderResponse& response) {
  Bytes body;
  while (body.size() < max_error_bytes) {
    const Result<Bytes> piece = response.read();
    if (!piece.ok() || piece->empty()) break;
    body += *piece;
  }
  const int status = response.status();
  std::string words = fmt::format("the leader answered {}", status);
  if (!body.empty()) words += ": " + printable(body, 300);
  ErrorCode code = ErrorCode::unavailable;
  if (status == 400) code = ErrorCode::invalid_argument;
  if (status == 401) code = ErrorCode::unauthenticated;
  if (status == 403) code = ErrorCode::permission_denied;
  if (status == 404) code = ErrorCode::not_found;
  if (status == 410) code = ErrorCode::gone;
  return Error(code, std::move(words));
}

}  // namespace strata::service
