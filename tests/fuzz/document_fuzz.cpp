// What comes from outside into the document model: bodies of its routes, and what they hold.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "faces/rest/document_body.h"
#include "faces/rest/json_pieces.h"
#include "layers/documents/document_text.h"
#include "layers/documents/schema.h"
#include "layers/documents/transform.h"

namespace {

using strata::Bytes;
using strata::BytesView;
namespace documents = strata::documents;

// What was accepted is accepted again, as it is, and reads back as the same tree.
void fuzz_document(BytesView json) {
  strata::Arena arena;
  const auto text = documents::minify_document(json, arena);
  if (!text.ok()) return;
  const auto again = documents::minify_document(*text, arena);
  STRATA_ASSERT(again.ok() && *again == *text);
  const documents::Value tree = *documents::parse_stored_value(*text);
  Bytes written;
  documents::append_json(written, tree);
  uint64_t work = 0;
  STRATA_ASSERT(documents::deep_equal(tree, *documents::parse_stored_value(written), work));
}

// The pieces of a document that stands in a body are the document.
void fuzz_pieces(BytesView json) {
  strata::Arena arena;
  const auto whole = documents::minify_document(json, arena);
  if (!whole.ok()) return;
  Bytes body = "{\"inserts\":{\"k\":";
  body.append(json);
  body += "}}";
  const auto parsed = strata::rest::parse_table_batch("t", body);
  STRATA_ASSERT(parsed.ok() && parsed->tables[0].inserts.size() == 1);
  STRATA_ASSERT(*documents::minify_document(parsed->tables[0].inserts[0].json, arena) == *whole);
}

// op NUL path NUL value NUL document
void fuzz_transform(BytesView input) {
  BytesView parts[4];
  for (BytesView& part : parts) {
    part = input.substr(0, input.find('\0'));
    input.remove_prefix(std::min(input.size(), part.size() + 1));
  }
  const auto operation = documents::make_transform_operation(parts[0], parts[1], parts[2]);
  strata::Arena arena;
  const auto text = documents::minify_document(parts[3], arena);
  if (!operation.ok() || !text.ok()) return;
  documents::Value tree = *documents::parse_stored_value(*text);
  documents::TransformContext context{.now = "2026-01-01T00:00:00.000000Z"};
  for (int i = 0; i < 3; ++i) {
    if (!documents::apply_transform(tree, *operation, context).ok()) return;
    STRATA_ASSERT(tree.get_if<documents::Object>() != nullptr);
  }
  Bytes written;
  documents::append_json(written, tree);
  STRATA_ASSERT(documents::depth_of(tree) > documents::max_document_depth ||
                documents::minify_document(written, arena).ok());
}

// schema NUL document
void fuzz_schema(BytesView input) {
  const size_t end = std::min(input.find('\0'), input.size());
  const auto schema = documents::Schema::compile(input.substr(0, end));
  if (!schema.ok()) return;
  const auto document = documents::parse_json(input.substr(std::min(input.size(), end + 1)));
  if (document.ok()) static_cast<void>((*schema)->validate(*document).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 9) {
    case 0:
      static_cast<void>(strata::rest::parse_table_batch("t", input).ok());
      break;
    case 1:
      static_cast<void>(strata::rest::parse_batch(input).ok());
      break;
    case 2:
      static_cast<void>(strata::rest::parse_commit(input).ok());
      break;
    case 3:
      static_cast<void>(strata::rest::parse_merge("t", input).ok());
      break;
    case 4:
      static_cast<void>(strata::rest::parse_scan(input).ok());
      static_cast<void>(strata::rest::parse_table("t", input).ok());
      break;
    case 5:
      fuzz_document(input);
      break;
    case 6:
      fuzz_pieces(input);
      break;
    case 7:
      fuzz_transform(input);
      break;
    default:
      fuzz_schema(input);
  }
  return 0;
}
