// The configuration file: TOML, one key an option, named as its flag.
//
//   port = 8080
//   namespace = ["orders", "users"]
//
// Purpose:       a file to raw values, which app/settings checks like those of any other source.
// Thread safety: pure functions, but for reading the file.
#pragma once

#include <string>
#include <string_view>

#include "app/settings.h"

namespace strata::app {

// Errors, with line and column: invalid_argument (not TOML, unknown key, wrong type).
Result<RawValues> parse_config(std::string_view text, std::string_view file_name);
// Errors also: not_found, io_error, payload_too_large (above 1 MiB).
Result<RawValues> read_config_file(const std::string& file_name);

}  // namespace strata::app
