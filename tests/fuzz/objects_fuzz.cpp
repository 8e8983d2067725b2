// What the store hands back of objects and of open transactions, damaged in any way: staged operations, heads and
// descriptors, rows of staged and replaced objects. The first byte says which; staged operations are a count and rows
// of sequence, part and size (2 bytes, little-endian), each followed by its bytes.
#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/assert.h"
#include "engine/memory/memory_engine.h"
#include "kv/database.h"
#include "layers/records/log_record.h"
#include "layers/records/objects.h"
#include "layers/records/staged_operations.h"

namespace {

using namespace strata;
using namespace strata::records;

const Namespace space = make_namespace(1);
const TransactionId transaction_id{};

size_t take(BytesView& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<unsigned char>(input[0]);
  input.remove_prefix(1);
  return byte;
}

// What comes back is exactly what lay there.
void fuzz_staged(BytesView input) {
  const kv::Database database(std::make_shared<kv::MemoryEngine>());
  const auto count = static_cast<uint32_t>(take(input));
  std::map<std::pair<uint32_t, uint16_t>, Bytes> rows;
  while (!input.empty()) {
    const auto sequence = static_cast<uint32_t>(take(input));
    const auto part = static_cast<uint16_t>(take(input));
    const size_t low = take(input);
    const size_t wanted = low + 256 * take(input);
    const size_t size = std::min(input.size(), wanted);
    rows[{sequence, part}] = Bytes(input.substr(0, size));
    input.remove_prefix(size);
  }
  const auto written = database.run([&](kv::Transaction& transaction) -> Result<void> {
    for (const auto& [at, bytes] : rows) {
      transaction.set(staged_operation_key(space, transaction_id, at.first, at.second), bytes);
    }
    return {};
  });
  STRATA_ASSERT(written.ok());
  const auto staged = database.read(
      [&](const kv::ReadTransaction& transaction) { return read_staged(transaction, space, transaction_id, count); });
  if (!staged.ok()) {
    STRATA_ASSERT(staged.error().code() == ErrorCode::corruption);
    return;
  }
  STRATA_ASSERT(staged->operations.size() == count);
  Bytes all;
  for (const auto& [at, bytes] : rows) all += bytes;
  Bytes back;
  for (uint32_t i = 0; i < count; ++i) {
    const auto record = decode_log_record(staged->records[i]);
    STRATA_ASSERT(record.ok());
    back += encode_log_record(record->wall_us, std::span(&staged->operations[i], 1));
  }
  STRATA_ASSERT(back == all);
}

// One row at the key; the reader takes it or calls it corruption.
template <class Read>
void fuzz_row(BytesView key, BytesView value, Read read) {
  const kv::Database database(std::make_shared<kv::MemoryEngine>());
  const auto written = database.run([&](kv::Transaction& transaction) -> Result<void> {
    transaction.set(key, value);
    return {};
  });
  STRATA_ASSERT(written.ok());
  const auto found = database.read([&](const kv::ReadTransaction& transaction) { return read(transaction); });
  STRATA_ASSERT(found.ok() || found.error().code() == ErrorCode::corruption);
}

void fuzz_staged_object(BytesView input) {
  const size_t wanted = take(input);
  const size_t key_bytes = std::min(wanted, input.size());
  const Bytes key = staged_objects_prefix(space) + Bytes(input.substr(0, key_bytes));
  fuzz_row(key, input.substr(key_bytes),
           [](const kv::ReadTransaction& transaction) { return read_staged_objects(transaction, space, nullptr, 10); });
}

void fuzz_replaced_object(BytesView input) {
  const size_t wanted = take(input);
  const size_t key_bytes = std::min(wanted, input.size());
  const Bytes key = replaced_objects_prefix(space) + Bytes(input.substr(0, key_bytes));
  fuzz_row(key, input.substr(key_bytes), [](const kv::ReadTransaction& transaction) {
    return read_replaced_objects(transaction, space, nullptr, 10);
  });
}

void fuzz_head(BytesView input) {
  const auto object = parse_object_head(input);
  if (object.ok()) STRATA_ASSERT(object->reference.size <= max_object_bytes && object->chunk_bytes != 0);
  const auto described = parse_object_descriptor({}, input);
  if (described.ok()) STRATA_ASSERT(described->reference.size <= max_object_bytes && described->chunk_bytes != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      fuzz_staged(input);
      break;
    case 1:
      fuzz_staged_object(input);
      break;
    case 2:
      fuzz_replaced_object(input);
      break;
    default:
      fuzz_head(input);
  }
  return 0;
}
