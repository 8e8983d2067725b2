#include "app/exit.h"

#include <fmt/format.h>

#include <cstdio>

namespace strata::app {

Exit exit_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::corruption:
      return Exit::damaged;
    case ErrorCode::invalid_argument:
    case ErrorCode::already_exists:
    case ErrorCode::not_found:
      return Exit::usage;
    default:
      return Exit::failed;
  }
}

Exit say(const Error& error, Exit exit) {
  fmt::print(stderr, "strata: {}\n", error.message());
  return exit;
}

Exit say(const Error& error) { return say(error, exit_of(error.code())); }

}  // namespace strata::app
