#include "layers/records/stored_value.h"

#include <algorithm>

namespace strata::records {
namespace {

constexpr char format = 1;
constexpr char chunked_flag = 1;

constexpr size_t plain_header_bytes = 2;
constexpr size_t stamped_header_bytes = plain_header_bytes + stamp_bytes;

// No value can be larger than what one transaction wrote; a length beyond this is not one that we stored.
constexpr uint64_t max_value_bytes = uint64_t{1} << 32;

Error broken(const char* what) {
  return Error(ErrorCode::corruption, std::string("a stored value is broken: ") + what);
}

void append_header(Bytes& out, bool chunked) {
  out.push_back(format);
  out.push_back(chunked ? chunked_flag : '\0');
}

void append_payload_or_size(Bytes& out, BytesView payload, bool chunked) {
  if (chunked) {
    append_le64(out, payload.size());
  } else {
    out.append(payload);
  }
}

Result<StoredHead> parse(BytesView stored, size_t header_bytes) {
  if (stored.size() < header_bytes) return broken("shorter than its header");
  if (stored[0] != format) return broken("unknown format");
  if (stored[1] != 0 && stored[1] != chunked_flag) return broken("unknown flags");
  StoredHead head;
  head.chunked = stored[1] == chunked_flag;
  if (header_bytes == stamped_header_bytes)
    std::copy_n(stored.begin() + plain_header_bytes, stamp_bytes, head.stamp.begin());
  const BytesView rest = stored.substr(header_bytes);
  if (!head.chunked) {
    head.payload = rest;
    head.size = rest.size();
    return head;
  }
  if (rest.size() != 8) return broken("a length of the wrong size");
  head.size = read_le64(rest);
  if (head.size <= chunk_bytes || head.size > max_value_bytes) return broken("an impossible length");
  return head;
}

}  // namespace

Bytes stamped_head(BytesView payload, bool chunked) {
  Bytes out;
  out.reserve(stamped_header_bytes + (chunked ? 8 : payload.size()) + 4);
  append_header(out, chunked);
  out.append(stamp_bytes, '\xFF');
  append_payload_or_size(out, payload, chunked);
  append_le32(out, plain_header_bytes);  // where the stamp goes; trimmed off
  return out;
}

Bytes plain_head(BytesView payload, bool chunked) {
  Bytes out;
  out.reserve(plain_header_bytes + (chunked ? 8 : payload.size()));
  append_header(out, chunked);
  append_payload_or_size(out, payload, chunked);
  return out;
}

Result<StoredHead> parse_stamped_head(BytesView stored) { return parse(stored, stamped_header_bytes); }
Result<StoredHead> parse_plain_head(BytesView stored) { return parse(stored, plain_header_bytes); }

Result<bool> has_any(kv::Transaction& transaction, BytesView prefix) {
  const auto end = prefix_end(prefix);
  STRATA_ASSERT(end.has_value());
  ASSIGN_OR_RETURN(const kv::RangePage page,
                   transaction.get_range(prefix, *end, {.limit = 1, .mode = kv::StreamingMode::exact}).get());
  return !page.rows.empty();
}

Result<void> clear_chunks(kv::Transaction& transaction, BytesView chunks_key) {
  ASSIGN_OR_RETURN(const auto marker, transaction.get(chunks_key).get());
  if (marker) transaction.clear_prefix(chunks_key);
  return {};
}

void write_chunks(kv::Transaction& transaction, BytesView chunks_key, BytesView payload) {
  // A marker of its own instead of "is chunk 0 there?": a writer that only asks does not fetch 90 KB.
  transaction.set(chunks_key, {});
  Bytes key(chunks_key);
  for (uint32_t index = 0; !payload.empty(); ++index) {
    key.resize(chunks_key.size());
    append_be32(key, index);
    const BytesView chunk = payload.substr(0, chunk_bytes);
    transaction.set(key, chunk);
    payload.remove_prefix(chunk.size());
  }
}

Result<Bytes> read_chunks(const kv::ReadTransaction& transaction, BytesView chunks_key, uint64_t size) {
  Bytes begin(chunks_key);
  append_be32(begin, 0);
  const auto end = prefix_end(chunks_key);
  STRATA_ASSERT(end.has_value());
  Bytes value;
  value.reserve(std::min<uint64_t>(size, 64u << 20));
  uint32_t index = 0;
  kv::RangeIterator chunks(transaction, begin, *end, {.mode = kv::StreamingMode::want_all});
  while (chunks.next()) {
    const BytesView key = chunks.key();
    if (key.size() != chunks_key.size() + 4 || read_be32(key.substr(chunks_key.size())) != index++) {
      return broken("a chunk is missing");
    }
    if (chunks.value().size() > size - value.size()) return broken("more chunks than its length");
    value.append(chunks.value());
  }
  RETURN_IF_ERROR(chunks.status());
  if (value.size() != size) return broken("fewer chunks than its length");
  return value;
}

}  // namespace strata::records
