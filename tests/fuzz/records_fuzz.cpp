// What comes from outside into the records model: bodies of its routes, and records of its log.
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/base64.h"
#include "faces/rest/records_body.h"
#include "faces/rest/request.h"
#include "layers/records/log_record.h"

namespace {

using strata::Bytes;
using strata::BytesView;

// What the decoder accepts is exactly what the encoder writes.
void fuzz_log_record(BytesView input) {
  const auto record = strata::records::decode_log_record(input);
  if (!record.ok()) return;
  STRATA_ASSERT(strata::records::encode_log_record(record->wall_us, record->operations) == input);
}

void fuzz_base64(BytesView input) {
  Bytes decoded(strata::base64_decoded_limit(input.size()), '\0');
  const auto size = strata::base64_decode(input, decoded.data());
  if (!size) return;
  Bytes text;
  strata::append_base64(text, BytesView(decoded).substr(0, *size));
  STRATA_ASSERT(text == input);
}

void fuzz_body(uint8_t kind, BytesView input) {
  // Exactly the padding that the server promises.
  const size_t padded = input.size() + strata::rest::Request::body_padding_bytes;
  const std::unique_ptr<char[]> body(new char[padded]());
  std::memcpy(body.get(), input.data(), input.size());
  const BytesView text(body.get(), input.size());
  strata::Arena arena;
  std::vector<strata::service::Column> columns;
  switch (kind) {
    case 0:
      static_cast<void>(strata::rest::parse_put_value("k", text).ok());
      break;
    case 1:
      static_cast<void>(strata::rest::parse_value_batch(text).ok());
      break;
    case 2:
      static_cast<void>(strata::rest::parse_put_row("r", text).ok());
      break;
    case 3:
      static_cast<void>(strata::rest::parse_row_batch(text).ok());
      break;
    default:
      static_cast<void>(strata::rest::parse_column_names(text, arena, columns).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t kind = data[0] % 7;
  const BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (kind == 5) {
    fuzz_log_record(input);
  } else if (kind == 6) {
    fuzz_base64(input);
  } else {
    fuzz_body(kind, input);
  }
  return 0;
}
