// An archive of versioned files from an enemy. The first byte chooses: the file as it is, or entries, each a byte of
// type, one of compression, two of length and its value, which get the lengths and hashes that let the reader look
// inside.
#include <cstdint>

#include "archive/aeor_file.h"
#include "base/assert.h"
#include "base/memory_stream.h"

namespace {

using namespace strata;
using namespace strata::archive;

void decode(EntryKind kind, BytesView value) {
  switch (kind) {
    case EntryKind::file:
      if (const auto record = decode_file_record(value)) STRATA_ASSERT(encode_file_record(*record) == value);
      break;
    case EntryKind::symlink:
      if (const auto record = decode_symlink(value)) STRATA_ASSERT(encode_symlink(*record) == value);
      break;
    case EntryKind::directory:
      decode_children(value);
      decode_internal(value);
      break;
    case EntryKind::deletion:
      decode_deletion(value);
      break;
    default:
      break;
  }
}

void read(BytesView file, size_t step) {
  BytesSource source(file, step);
  AeorReader reader(source);
  if (!reader.begin().ok()) return;
  for (;;) {
    const auto more = reader.next();
    if (!more.ok() || !*more) return;
    if (const auto unmarked = reader.unmarked_zstd_value()) decode(reader.kind(), *unmarked);
    const auto value = reader.value();
    if (value.ok()) decode(reader.kind(), *value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  BytesView rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    read(rest, 1 + data[0] / 2);
    return 0;
  }
  BytesSink sink;
  AeorWriter writer(sink);
  STRATA_ASSERT(writer.begin({.type = BackupType::normal}).ok());
  while (rest.size() >= 4) {
    const auto kind = static_cast<EntryKind>(rest[0]);
    const bool zstd = rest[1] % 2 != 0;
    const size_t length = static_cast<uint8_t>(rest[2]) | static_cast<size_t>(static_cast<uint8_t>(rest[3])) << 8;
    rest.remove_prefix(4);
    const BytesView value = rest.substr(0, length);
    rest.remove_prefix(value.size());
    STRATA_ASSERT(writer.add(kind, blake3("", value), value, zstd, 1).ok());
  }
  STRATA_ASSERT(writer.finish().ok());
  read(sink.bytes, SIZE_MAX);
  return 0;
}
