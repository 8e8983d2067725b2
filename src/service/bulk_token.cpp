#include "archive/fields.h"
#include "base/crc32.h"
#include "base/hex.h"
#include "service/bulk_insert.h"

namespace strata::service {
namespace {

constexpr char version = 1;
constexpr size_t max_token_bytes = 256u << 10;

uint32_t crc32_of(BytesView bytes) {
  Crc32 sum;
  sum.update(bytes);
  return sum.value();
}

Error not_a_token() {
  return Error(ErrorCode::invalid_argument, "resume_token: it is none of this collection's bulk inserts");
}

}  // namespace

std::string format_bulk_token(const vectors::Collection& collection, const BulkToken& token) {
  Bytes bytes(1, version);
  append_le64(bytes, static_cast<uint64_t>(collection.number));
  append_le64(bytes, collection.nonce);
  append_le64(bytes, token.rows);
  for (const BulkToken::Range& range : token.failed) {
    append_le64(bytes, range.first);
    append_le64(bytes, range.count);
  }
  append_le32(bytes, crc32_of(bytes));
  return to_hex(bytes);
}

Result<BulkToken> parse_bulk_token(const vectors::Collection& collection, std::string_view text) {
  BulkToken token;
  if (text.empty()) return token;
  if (text.size() > 2 * max_token_bytes) return not_a_token();
  const auto bytes = decode_hex(text);
  if (!bytes || bytes->size() < 4) return not_a_token();
  const size_t checked = bytes->size() - 4;
  if (read_le32(BytesView(*bytes).substr(checked)) != crc32_of(BytesView(*bytes).substr(0, checked)))
    return not_a_token();
  BytesView rest = BytesView(*bytes).substr(0, checked);
  archive::Fields fields(rest);
  const bool known = fields.take8() == version;
  const bool here = fields.take64() == static_cast<uint64_t>(collection.number) && fields.take64() == collection.nonce;
  token.rows = fields.take64();
  if (!fields.ok() || !known || !here || rest.size() % 16 != 0) return not_a_token();
  uint64_t behind = 0;
  while (!rest.empty()) {
    const BulkToken::Range range{.first = fields.take64(), .count = fields.take64()};
    if (range.first < behind || range.count == 0 || range.count > token.rows ||
        range.first > token.rows - range.count) {
      return not_a_token();
    }
    behind = range.first + range.count;
    token.failed.push_back(range);
  }
  return token;
}

}  // namespace strata::service
