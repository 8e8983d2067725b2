#include "service/api_keys.h"

#include <strings.h>

#include <algorithm>
#include <optional>

#include "base/base64.h"

namespace strata::service {
namespace {

// Takes the same time wherever the first difference is; the lengths are no secret.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(difference | static_cast<unsigned char>(a[i] ^ b[i]));
  }
  return difference == 0;
}

// What stands behind the scheme and its blanks; empty: another scheme, or nothing.
std::string_view credentials(std::string_view authorization, std::string_view scheme) {
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ' ||
      strncasecmp(authorization.data(), scheme.data(), scheme.size()) != 0) {
    return {};
  }
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' ', scheme.size()), authorization.size()));
  return authorization;
}

std::optional<Bytes> decoded(std::string_view text) {
  Bytes out(base64_decoded_limit(text.size()), '\0');
  const auto size = base64_decode(text, out.data());
  if (!size || out.substr(0, *size).find(':') == Bytes::npos) return std::nullopt;
  out.resize(*size);
  return out;
}

bool has_id(std::string_view key) { return key.find(':') != std::string_view::npos; }

// `pair` is ID:SECRET.
bool fits_pair(std::string_view key, std::string_view pair) {
  return equal_in_constant_time(key, has_id(key) ? pair : pair.substr(pair.find(':') + 1));
}

}  // namespace

Result<std::string_view> ApiKeys::check(std::string_view api_key, std::string_view authorization) const {
  std::string_view whole = api_key;
  std::string_view encoded;
  if (api_key.empty()) {
    whole = encoded = credentials(authorization, "Bearer");
    for (const std::string_view scheme : {"ApiKey", "Basic"}) {
      if (encoded.empty()) encoded = credentials(authorization, scheme);
    }
  }
  if (whole.empty() && encoded.empty()) {
    return Error(ErrorCode::unauthenticated,
                 "authentication required: X-API-Key or Authorization: Bearer, ApiKey or Basic");
  }
  const std::optional<Bytes> pair = encoded.empty() ? std::nullopt : decoded(encoded);
  const std::string* known = nullptr;
  for (const std::string& key : keys_) {
    const bool fits = (!whole.empty() && equal_in_constant_time(key, whole)) || (pair && fits_pair(key, *pair));
    if (fits) known = &key;
  }
  if (!known) return Error(ErrorCode::unauthenticated, "unknown API key");
  return has_id(*known) ? std::string_view(*known).substr(0, known->find(':')) : std::string_view("api-key");
}

}  // namespace strata::service
