#include "service/index_request.h"

#include <fmt/format.h>

namespace strata::service {

namespace {

constexpr size_t max_index_name_bytes = 128;
// They share the table's row, one value of the store (100,000 bytes), with its schema.
constexpr size_t max_definitions_bytes = 30'000;

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

}  // namespace

Result<documents::IndexDefinition> index_definition(const IndexRequest& request) {
  documents::IndexDefinition index;
  if (request.name.empty() || request.name.size() > max_index_name_bytes) {
    return invalid("name: must have 1 to 128 bytes");
  }
  index.name = request.name;
  auto field = documents::DocumentPath::parse(request.field);
  if (!field.ok()) return invalid("field: " + std::string(field.error().message()));
  if (field->is_root()) return invalid("field: must name a field");
  index.field = *std::move(field);
  const auto type = documents::find_index_type(request.type);
  if (!type) return invalid("type: must be string, number, bool, date or fulltext");
  index.type = *type;
  if (!request.analyzer.empty() && index.type != documents::IndexType::fulltext) {
    return invalid("analyzer: belongs to fulltext indexes");
  }
  if (index.type == documents::IndexType::fulltext) {
    const auto analyzer = text::Analyzer::find(request.analyzer.empty() ? "english" : request.analyzer);
    if (!analyzer) return invalid("analyzer: no such analyzer: " + printable(request.analyzer));
    index.analyzer = *analyzer;
  }
  return index;
}

Result<void> add_index(std::vector<documents::IndexDefinition>& indexes, uint32_t& next_id,
                       documents::IndexDefinition index) {
  for (const documents::IndexDefinition& other : indexes) {
    if (other.name == index.name) return invalid("index already exists: " + printable(index.name));
    const bool fulltext = other.type == documents::IndexType::fulltext && index.type == documents::IndexType::fulltext;
    if (fulltext && other.field == index.field) {
      return invalid("field: has a fulltext index, " + printable(other.name));
    }
  }
  if (indexes.size() == documents::max_indexes) return invalid("a table has at most 64 indexes");
  index.id = next_id++;
  indexes.push_back(std::move(index));
  Bytes row;
  documents::append_indexes(row, indexes, next_id);
  if (row.size() > max_definitions_bytes) {
    return invalid(
        fmt::format("names and fields of a table's indexes take at most {} bytes together", max_definitions_bytes));
  }
  return {};
}

}  // namespace strata::service
