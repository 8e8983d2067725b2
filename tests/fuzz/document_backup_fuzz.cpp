// A backup of documents from an enemy. The first byte chooses: bit 0 the manifest or the documents, bit 1 the file as
// it is, or frames, each a byte of type, two of length and its payload, which get the checksums that let the reader
// look inside; the rest is how many tables the manifest of the documents has. What is accepted must come back from the
// writer as it was.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "base/memory_stream.h"
#include "layers/documents/document_backup.h"

namespace {

using namespace strata;
using namespace strata::documents;

// Types of docs/formats/documents-backup.md whose payload ends with the digest of what came before.
constexpr uint8_t documents_end = 3;
constexpr uint8_t manifest_footer = 6;

Bytes with_checksums(BytesView rest, bool manifest) {
  BytesSink file;
  archive::FrameWriter frames(file, {.magic = manifest ? "STRATADM" : "STRATADB", .version = 1});
  STRATA_ASSERT(frames.begin().ok());
  while (rest.size() >= 3) {
    const auto type = static_cast<uint8_t>(rest[0]);
    const size_t length = static_cast<uint8_t>(rest[1]) | static_cast<size_t>(static_cast<uint8_t>(rest[2])) << 8;
    rest.remove_prefix(3);
    Bytes payload(rest.substr(0, length));
    rest.remove_prefix(payload.size());
    if (type == (manifest ? manifest_footer : documents_end)) {
      append_le64(payload, frames.digest().low);
      append_le64(payload, frames.digest().high);
    }
    STRATA_ASSERT(frames.prepare(type, payload.size()).ok());
    frames.payload().append(payload);
    STRATA_ASSERT(frames.flush().ok());
  }
  return file.bytes;
}

void read_and_write_manifest(BytesView bytes) {
  BytesSource source(bytes);
  const auto read = read_manifest(source);
  if (!read.ok()) return;
  BytesSink first;
  STRATA_ASSERT(write_manifest(first, *read).ok());
  BytesSource written(first.bytes);
  const auto again = read_manifest(written);
  STRATA_ASSERT(again.ok());
  BytesSink second;
  STRATA_ASSERT(write_manifest(second, *again).ok());
  STRATA_ASSERT(first.bytes == second.bytes);
}

// One line an item; the writer is given what was read. False: refused.
bool read_documents(BytesView bytes, size_t tables, BackupWriter& writer, std::string& all) {
  BytesSource source(bytes);
  BackupReader reader(source, tables);
  if (!reader.begin().ok()) return false;
  for (;;) {
    const auto item = reader.next();
    if (!item.ok()) return false;
    if (!*item) return true;
    STRATA_ASSERT(writer.add(**item).ok());
    all += std::to_string((*item)->table) + ((*item)->is_change ? "!" : " ");
    all.append((*item)->key).append((*item)->text.value_or("-")).push_back('\n');
  }
}

void read_and_write_documents(BytesView bytes, size_t tables) {
  BytesSink first;
  BytesSink second;
  BackupWriter writer(first);
  BackupWriter ignored(second);
  std::string all;
  std::string again;
  STRATA_ASSERT(writer.begin().ok() && ignored.begin().ok());
  if (!read_documents(bytes, tables, writer, all)) return;
  STRATA_ASSERT(writer.finish().ok());
  STRATA_ASSERT(read_documents(first.bytes, tables, ignored, again));
  STRATA_ASSERT(all == again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool manifest = (data[0] & 1) != 0;
  const bool whole = (data[0] & 2) != 0;
  const BytesView rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Bytes bytes = whole ? Bytes(rest) : with_checksums(rest, manifest);
  if (manifest) {
    read_and_write_manifest(bytes);
  } else {
    read_and_write_documents(bytes, data[0] >> 2);
  }
  return 0;
}
