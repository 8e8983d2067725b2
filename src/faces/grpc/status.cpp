#include "faces/grpc/status.h"

#include <array>

namespace strata::rpc {

StatusCode status_code(ErrorCode code) {
  switch (code) {
    // Another attempt of the same call may succeed; the caller decides.
    case ErrorCode::conflict:
    case ErrorCode::not_committed:
      return StatusCode::aborted;
    case ErrorCode::corruption:
      return StatusCode::data_loss;
    default:
      break;
  }
  switch (http_status(code)) {
    case 401:
      return StatusCode::unauthenticated;
    case 403:
      return StatusCode::permission_denied;
    case 404:
    case 410:
      return StatusCode::not_found;
    case 408:
    case 504:
      return StatusCode::deadline_exceeded;
    case 409:
      return StatusCode::already_exists;
    case 412:
      return StatusCode::failed_precondition;
    case 413:
    case 429:
      return StatusCode::resource_exhausted;
    case 416:
      return StatusCode::out_of_range;
    case 499:
      return StatusCode::cancelled;
    case 500:
      return StatusCode::internal;
    case 501:
      return StatusCode::unimplemented;
    case 503:
      return StatusCode::unavailable;
    default:
      return StatusCode::invalid_argument;
  }
}

std::string_view status_name(StatusCode code) {
  static constexpr std::array<std::string_view, status_codes> names = {
      "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED",
  };
  return names[static_cast<size_t>(code)];
}

}  // namespace strata::rpc
