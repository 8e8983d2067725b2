// What selects documents, as it comes from outside: JSON filters, query strings, lists of fields, and paths.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "layers/documents/filter_match.h"
#include "layers/documents/filter_parser.h"
#include "layers/documents/projection.h"
#include "layers/documents/query_string.h"

namespace {

using strata::Bytes;
using strata::BytesView;
namespace documents = strata::documents;

constexpr BytesView document =
    R"({"a":"The Quick brown","b":{"c":[1,2.5,"x y",{"d":true}]},"n":-3,"t":["a","b c"],"d":"2020-06-01","e":null})";

void fuzz_filter(BytesView input) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(input);
  simdjson::dom::element json;
  if (parser.parse(padded).get(json) != simdjson::SUCCESS) return;
  const auto filter = documents::parse_filter(json, {});
  if (!filter.ok()) {
    STRATA_ASSERT(filter.error().message().starts_with("filter_query"));
    return;
  }
  simdjson::dom::parser other;
  const simdjson::padded_string text(document);
  const auto element = other.parse(text).value_unsafe();
  documents::FilterMatcher matcher(*filter);
  STRATA_ASSERT(matcher.matches("k", element) == matcher.score("k", element).has_value());
}

void fuzz_query_string(BytesView input) {
  const documents::FieldAnalyzers analyzers;
  documents::FilterBuilder builder(analyzers);
  auto node = documents::parse_query_string(input, builder);
  if (!node.ok()) return;
  const documents::Filter filter(std::make_unique<documents::FilterNode>(*std::move(node)), builder.node_count());
  simdjson::dom::parser parser;
  const simdjson::padded_string text(document);
  static_cast<void>(documents::FilterMatcher(filter).matches("k", parser.parse(text).value_unsafe()));
}

void fuzz_projection(BytesView input) {
  if (const auto path = documents::DocumentPath::parse(input); path.ok()) {
    STRATA_ASSERT(documents::DocumentPath::parse(path->to_string()).value() == *path);
  }
  const auto projection = documents::Projection::parse_list(input);
  if (!projection.ok()) return;
  Bytes out;
  STRATA_ASSERT(projection->append(document, out).ok());
  simdjson::dom::parser parser;
  STRATA_ASSERT(parser.parse(simdjson::padded_string(out)).error() == simdjson::SUCCESS);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'q':
      fuzz_query_string(input);
      break;
    case 'p':
      fuzz_projection(input);
      break;
    default:
      fuzz_filter(input);
  }
  return 0;
}
