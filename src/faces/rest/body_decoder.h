// BodyDecoder: Content-Encoding of request bodies taken off as they stream in.
//
// Purpose:       gzip, deflate and zstd. The caller counts what comes out against the route's limit, so a bomb costs
//                one buffer: no claimed length is ever believed or allocated.
// Ownership:     owns its library state (gzip 40 KB, zstd at most 8 MiB of window).
// Thread safety: none.
// Invariants:    memory does not grow with the body.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::rest {

class BodyDecoder {
 public:
  virtual ~BodyDecoder() = default;

  struct Step {
    size_t consumed = 0;
    size_t produced = 0;
  };
  // Neither consumed nor produced anything: it needs more input. Errors: invalid_argument.
  virtual Result<Step> decode(BytesView input, std::span<char> output) = 0;
  // The input may end here.
  virtual bool complete() const = 0;
};

// Null for "" and "identity"; unsupported_media_type for a coding it does not know.
Result<std::unique_ptr<BodyDecoder>> make_body_decoder(std::string_view content_encoding);

}  // namespace strata::rest
