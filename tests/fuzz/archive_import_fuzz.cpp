// An import from an enemy who knows how to hash. The input is entries, each a byte of kind, two of length and its
// value; "@@" and a byte n in a value become the hash of entry n, so that trees can be built. Each gets its right key
// (a directory that of a whole one or, where bit 7 of the kind is set, of a node), and the last one is the version.
// What is taken in must go out again, and that come in elsewhere; all else is invalid_argument.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/memory_stream.h"
#include "engine/memory/memory_engine.h"
#include "service/file_archives.h"

namespace {

using namespace strata;
using archive::EntryKind;

struct Store {
  kv::Database database{std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{})};
  service::FileSystem system{database, {}};
  service::FileVersions versions{system};
  service::FileArchives archives{system, versions};

  Result<service::ImportAnswer> import(BytesView bytes) {
    BytesSource source(bytes);
    return archives.import({}, {.body = &source, .promote = true}, nullptr);
  }
};

Bytes with_hashes(BytesView value, const std::vector<Hash>& hashes) {
  Bytes out;
  for (size_t at = 0; at < value.size();) {
    const bool is_place = at + 2 < value.size() && value[at] == '@' && value[at + 1] == '@';
    const size_t entry = is_place ? static_cast<uint8_t>(value[at + 2]) : SIZE_MAX;
    if (entry < hashes.size()) {
      out.append(bytes_of(hashes[entry]));
      at += 3;
    } else {
      out.push_back(value[at++]);
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  BytesView rest(reinterpret_cast<const char*>(data), size);
  BytesSink entries;
  archive::AeorWriter writer(entries);
  std::vector<Hash> hashes;
  while (rest.size() >= 3 && hashes.size() < 250) {
    const auto kind = static_cast<EntryKind>(rest[0] & 0x7F);
    const bool is_node = (rest[0] & 0x80) != 0;
    const size_t length = static_cast<uint8_t>(rest[1]) | static_cast<size_t>(static_cast<uint8_t>(rest[2])) << 8;
    rest.remove_prefix(3);
    const Bytes value = with_hashes(rest.substr(0, length), hashes);
    rest.remove_prefix(std::min(length, rest.size()));
    const bool has_content = kind == EntryKind::chunk || kind == EntryKind::file || kind == EntryKind::directory ||
                             kind == EntryKind::symlink;
    if (!has_content || value.size() > archive::file_chunk_bytes) return 0;
    hashes.push_back(is_node ? blake3(archive::node_domain, value) : archive::content_hash(kind, value));
    STRATA_ASSERT(writer.add(kind, hashes.back(), value, false, 1).ok());
    const auto record = kind == EntryKind::file ? archive::decode_file_record(value) : std::nullopt;
    if (record) STRATA_ASSERT(writer.add(kind, archive::path_hash(kind, record->path), value, false, 1).ok());
  }
  if (hashes.empty()) return 0;
  STRATA_ASSERT(writer.finish().ok());
  const Bytes file = archive::encode({.head = hashes.back(), .type = archive::BackupType::full_export}) + entries.bytes;

  Store store;
  const auto done = store.import(file);
  if (!done.ok()) {
    STRATA_ASSERT(done.error().code() == ErrorCode::invalid_argument);
    return 0;
  }
  const auto plan = store.archives.plan_export({}, {}, nullptr);
  STRATA_ASSERT(plan.ok());
  BytesSink out;
  STRATA_ASSERT(store.archives.write(*plan, out, service::StopFlag()).ok());
  const auto again = Store().import(out.bytes);
  STRATA_ASSERT(again.ok() && again->version == done->version);
  return 0;
}
