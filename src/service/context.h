// Context: on whose behalf, and until when.
//
// Purpose:       what every use case is told beside its request.
// Ownership:     views; the caller keeps them for the length of the call.
// Thread safety: a value.
#pragma once

#include <cstdint>
#include <string_view>

namespace strata::service {

struct Context {
  // Empty: anonymous.
  std::string_view caller = {};
  // By the service's clock; 0: none. Work that is not done by then fails with transaction_timed_out.
  int64_t deadline_steady_us = 0;
};

}  // namespace strata::service
