#include "faces/rest/request.h"

#include <strings.h>

namespace strata::rest {

std::string_view method_name(Method method) {
  static constexpr std::string_view names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "OTHER"};
  return names[static_cast<size_t>(method)];
}

BytesView Request::param(std::string_view name) const {
  for (const Parameter& each : params_) {
    if (each.name == name) return each.value;
  }
  STRATA_ASSERT(!"the route has no such parameter");
  return {};
}

std::optional<BytesView> Request::query(std::string_view name) const {
  for (const Parameter& each : query_) {
    if (each.name == name) return each.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::header(std::string_view name) const {
  for (const HeaderField& each : headers_) {
    if (each.name.size() == name.size() && strncasecmp(each.name.data(), name.data(), name.size()) == 0) {
      return each.value;
    }
  }
  return std::nullopt;
}

}  // namespace strata::rest
