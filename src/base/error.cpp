#include "base/error.h"

#include <array>

namespace strata {
namespace {

struct Row {
  std::string_view name;
  int fdb_number;
  int http_status;
  std::string_view message;
};

constexpr Row rows[] = {
#define STRATA_ERROR_ROW(name, number, status, message) {#name, number, status, message},
    STRATA_ERRORS(STRATA_ERROR_ROW)
#undef STRATA_ERROR_ROW
};

const Row& row(ErrorCode code) { return rows[static_cast<size_t>(code)]; }

}  // namespace

std::string_view error_name(ErrorCode code) { return row(code).name; }
int fdb_error_number(ErrorCode code) { return row(code).fdb_number; }
int http_status(ErrorCode code) { return row(code).http_status; }
std::string_view error_message(ErrorCode code) { return row(code).message; }

}  // namespace strata
