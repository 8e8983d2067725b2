// What comes from outside into versioned files: bodies of their routes, paths and types, and the records that archives
// bring.
#include <cstdint>
#include <cstring>
#include <memory>

#include "archive/file_records.h"
#include "base/assert.h"
#include "faces/rest/file_body.h"
#include "faces/rest/file_handler.h"
#include "faces/rest/request.h"
#include "layers/files/path.h"

namespace {

using strata::BytesView;
namespace archive = strata::archive;
namespace files = strata::files;
namespace rest = strata::rest;

// What the decoder accepts is exactly what the encoder writes.
void fuzz_records(BytesView input) {
  if (const auto file = archive::decode_file_record(input)) STRATA_ASSERT(archive::encode_file_record(*file) == input);
  if (const auto link = archive::decode_symlink(input)) STRATA_ASSERT(archive::encode_symlink(*link) == input);
  if (const auto gone = archive::decode_deletion(input)) STRATA_ASSERT(archive::encode_deletion(*gone) == input);
  if (const auto fork = archive::decode_fork(input)) STRATA_ASSERT(archive::encode_fork(*fork) == input);
  if (const auto snapshot = archive::decode_snapshot(input)) {
    STRATA_ASSERT(archive::encode_snapshot(*snapshot) == input);
  }
}

void fuzz_directory(BytesView input) {
  const auto children = archive::decode_children(input);
  if (children) {
    const bool is_leaf = archive::form_of_node(input) == archive::NodeForm::leaf;
    STRATA_ASSERT((is_leaf ? archive::encode_leaf(*children) : archive::encode_flat(*children)) == input);
  }
  if (const auto node = archive::decode_internal(input)) {
    STRATA_ASSERT(!children);
    STRATA_ASSERT(archive::encode_internal(*node) == input);
  }
}

void fuzz_headers(BytesView input) {
  const std::string text = rest::header_text(input);
  for (const char c : text) STRATA_ASSERT(c >= ' ' && c <= '~');
  if (!text.empty()) STRATA_ASSERT(text.front() != ' ' && text.back() != ' ');
  static_cast<void>(rest::check_content_type(input).ok());
  // What may be written has one form.
  if (const auto path = files::canonical_written_path(input); path.ok()) {
    const auto again = files::canonical_written_path(*path);
    STRATA_ASSERT(again.ok() && *again == *path);
  }
}

void fuzz_snapshot(BytesView text) {
  const auto snapshot = rest::parse_snapshot(text);
  if (!snapshot.ok()) return;
  // What is kept of the metadata reads as itself.
  strata::Bytes body = "{\"name\":\"x\",\"metadata\":" + snapshot->metadata + "}";
  body.reserve(body.size() + rest::Request::body_padding_bytes);
  const auto again = rest::parse_snapshot(body);
  STRATA_ASSERT(again.ok() && again->metadata == snapshot->metadata);
}

void fuzz_body(uint8_t kind, BytesView input) {
  // Exactly the padding that the server promises.
  const size_t padded = input.size() + rest::Request::body_padding_bytes;
  const std::unique_ptr<char[]> body(new char[padded]());
  if (!input.empty()) std::memcpy(body.get(), input.data(), input.size());
  const BytesView text(body.get(), input.size());
  switch (kind) {
    case 0:
      return static_cast<void>(rest::parse_upload(text).ok());
    case 1:
      return static_cast<void>(rest::parse_checked_hashes(text).ok());
    case 2:
      return fuzz_snapshot(text);
    case 3:
      return static_cast<void>(rest::parse_restore_file(text).ok());
    default:
      return static_cast<void>(rest::parse_collection_task(text).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 5:
      fuzz_records(input);
      break;
    case 6:
      fuzz_directory(input);
      break;
    case 7:
      fuzz_headers(input);
      break;
    default:
      fuzz_body(data[0] % 8, input);
  }
  return 0;
}
