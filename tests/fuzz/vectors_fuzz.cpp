// What comes from outside into the vector model: bodies of its routes, stored metadata, and images of the metadata
// index whose frames are whole, so that mutations reach behind the checksums.
#include <cstdint>
#include <cstring>
#include <memory>

#include "archive/frames.h"
#include "base/assert.h"
#include "base/memory_stream.h"
#include "faces/rest/request.h"
#include "faces/rest/vector_body.h"
#include "faces/rest/vector_json.h"
#include "faces/rest/vector_math_body.h"
#include "layers/vectors/metadata_index.h"

namespace {

using strata::Bytes;
using strata::BytesView;
using strata::Result;
namespace rest = strata::rest;
namespace vectors = strata::vectors;

// What the decoder accepts is exactly what the encoder writes.
void fuzz_metadata(BytesView input) {
  auto metadata = vectors::decode_metadata(input);
  if (!metadata.ok()) return;
  STRATA_ASSERT(vectors::encode_metadata(*metadata) == input);
  // A field that matches is one that is there, in the index too.
  for (const vectors::MetadataField& field : *metadata) {
    vectors::MetadataIndex index;
    if (field.name.size() > vectors::max_metadata_name_bytes) return;
    index.add(3, *metadata);
    vectors::Filter filter{.kind = vectors::FilterKind::field, .field = field.name, .values = {field.value}};
    STRATA_ASSERT(vectors::check_filter(filter).ok() && vectors::matches(filter, *metadata));
    const auto found = index.candidates(filter);
    STRATA_ASSERT(found.certain.contains(3) != found.uncertain.contains(3));
    index.remove(3);
    STRATA_ASSERT(index.size() == 0);
  }
}

// The input is frames: type, length (2 bytes), payload. An image that is believed must work like one that was written.
void fuzz_index_image(BytesView input) {
  strata::BytesSink sink;
  strata::archive::FrameWriter frames(sink, {.magic = "STRATAVM", .version = 1});
  STRATA_ASSERT(frames.begin().ok());
  uint64_t slots = 0;
  if (!input.empty()) {
    slots = static_cast<uint8_t>(input[0]);
    input.remove_prefix(1);
  }
  while (input.size() >= 3) {
    const auto type = static_cast<uint8_t>(input[0]);
    const size_t size = static_cast<uint8_t>(input[1]) | static_cast<size_t>(static_cast<uint8_t>(input[2])) << 8;
    input.remove_prefix(3);
    const BytesView payload = input.substr(0, size);
    input.remove_prefix(payload.size());
    if (payload.empty()) continue;
    STRATA_ASSERT(frames.prepare(type, payload.size()).ok());
    frames.payload().append(payload);
  }
  STRATA_ASSERT(frames.flush().ok());
  const auto digest = frames.digest();
  STRATA_ASSERT(frames.prepare(6, 24).ok());
  strata::append_le64(frames.payload(), slots);
  strata::append_le64(frames.payload(), digest.low);
  strata::append_le64(frames.payload(), digest.high);
  STRATA_ASSERT(frames.flush().ok());
  strata::BytesSource source(sink.bytes);
  auto index = vectors::MetadataIndex::load(source, 1'000);
  if (!index.ok()) {
    STRATA_ASSERT(index.error().code() == strata::ErrorCode::corruption);
    return;
  }
  STRATA_ASSERT(index->size() == slots);
  strata::BytesSink again;
  STRATA_ASSERT(index->save(again).ok());
  strata::BytesSource second(again.bytes);
  STRATA_ASSERT(vectors::MetadataIndex::load(second, 1'000).ok());
  for (uint32_t slot = 0; slot < 1'000; ++slot) index->remove(slot);
  STRATA_ASSERT(index->size() == 0);
}

template <class Body>
void parse(Result<void> (*function)(BytesView, Body&), BytesView text) {
  Body body;
  static_cast<void>(function(text, body).ok());
}

void fuzz_search(BytesView text) {
  auto search = rest::parse_search(text);
  if (!search.ok()) return;
  auto request = search->request();
  if (request.filter) static_cast<void>(vectors::check_filter(*request.filter).ok());
}

void fuzz_row(BytesView text) {
  auto row = rest::parse_vector_row(text);
  if (!row.ok() || !vectors::check_metadata(row->metadata).ok()) return;
  // What is told reads as what it was.
  Bytes told = "{\"values\":";
  rest::append_json_floats(told, row->values);
  told += ",\"metadata\":";
  rest::append_json_metadata(told, row->metadata);
  told += "}";
  told.reserve(told.size() + rest::Request::body_padding_bytes);
  const auto again = rest::parse_vector_row(told);
  STRATA_ASSERT(again.ok() && again->values == row->values && again->metadata == row->metadata);
}

void fuzz_body(uint8_t kind, BytesView input) {
  // Exactly the padding that the server promises.
  const size_t padded = input.size() + rest::Request::body_padding_bytes;
  const std::unique_ptr<char[]> body(new char[padded]());
  if (!input.empty()) std::memcpy(body.get(), input.data(), input.size());
  const BytesView text(body.get(), input.size());
  switch (kind) {
    case 0:
      return fuzz_search(text);
    case 1:
      return fuzz_row(text);
    case 2:
      return static_cast<void>(rest::parse_bulk(text).ok());
    case 3:
      return static_cast<void>(rest::parse_batch_search(text).ok());
    case 4:
      return static_cast<void>(rest::parse_collection(text).ok());
    case 5:
      return static_cast<void>(rest::parse_bulk_from_path(text).ok());
    case 6:
      return parse(rest::parse_analogy, text);
    case 7:
      return parse(rest::parse_ghosts, text);
    default:
      return parse(rest::parse_diversity, text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 12) {
    case 10:
      fuzz_metadata(input);
      break;
    case 11:
      fuzz_index_image(input);
      break;
    default:
      fuzz_body(data[0] % 12, input);
  }
  return 0;
}
