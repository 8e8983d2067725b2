#include "layers/documents/index_definition.h"

namespace strata::documents {

namespace {

constexpr char format = 1;

Error broken() { return Error(ErrorCode::corruption, "the indexes in the row of a table are broken"); }

void append_text(Bytes& out, BytesView text) {
  append_be16(out, static_cast<uint16_t>(text.size()));
  out.append(text);
}

std::optional<BytesView> take_text(BytesView& in) {
  if (in.size() < 2) return std::nullopt;
  const size_t size = read_be16(in);
  if (in.size() - 2 < size) return std::nullopt;
  const BytesView text = in.substr(2, size);
  in.remove_prefix(2 + size);
  return text;
}

}  // namespace

std::string_view index_type_name(IndexType type) {
  switch (type) {
    case IndexType::string:
      return "string";
    case IndexType::number:
      return "number";
    case IndexType::boolean:
      return "bool";
    case IndexType::date:
      return "date";
    case IndexType::fulltext:
      return "fulltext";
  }
  return "unknown";
}

std::optional<IndexType> find_index_type(std::string_view name) {
  for (const IndexType type :
       {IndexType::string, IndexType::number, IndexType::boolean, IndexType::date, IndexType::fulltext}) {
    if (index_type_name(type) == name) return type;
  }
  return std::nullopt;
}

void append_indexes(Bytes& out, std::span<const IndexDefinition> indexes, uint32_t next_id) {
  if (indexes.empty() && next_id == 1) return;
  out.push_back(format);
  append_be32(out, next_id);
  for (const IndexDefinition& index : indexes) {
    append_be32(out, index.id);
    out.push_back(static_cast<char>(index.type));
    out.push_back(static_cast<char>(index.state));
    append_text(out, index.name);
    append_text(out, index.field.to_string());
    append_text(out, index.analyzer.name());
  }
}

Result<void> take_indexes(BytesView in, std::vector<IndexDefinition>& indexes, uint32_t& next_id) {
  indexes.clear();
  next_id = 1;
  if (in.empty()) return {};
  if (in.size() < 5 || in[0] != format) return broken();
  next_id = read_be32(in.substr(1));
  in.remove_prefix(5);
  while (!in.empty()) {
    if (in.size() < 6 || indexes.size() == max_indexes) return broken();
    IndexDefinition& index = indexes.emplace_back();
    index.id = read_be32(in);
    index.type = static_cast<IndexType>(in[4]);
    index.state = static_cast<IndexState>(in[5]);
    in.remove_prefix(6);
    const auto name = take_text(in);
    const auto field = name ? take_text(in) : std::nullopt;
    const auto analyzer = field ? take_text(in) : std::nullopt;
    if (!analyzer) return broken();
    index.name = *name;
    auto path = DocumentPath::parse(*field);
    const auto found = text::Analyzer::find(*analyzer);
    const bool known = index_type_name(index.type) != "unknown" &&
                       (index.state == IndexState::building || index.state == IndexState::ready);
    if (!path.ok() || !found || !known || index.id == 0 || index.id >= next_id) return broken();
    index.field = *std::move(path);
    index.analyzer = *found;
  }
  return {};
}

FieldAnalyzers field_analyzers(std::span<const IndexDefinition> indexes) {
  FieldAnalyzers analyzers;
  for (const IndexDefinition& index : indexes) {
    if (index.type == IndexType::fulltext) analyzers.add(index.field, index.analyzer);
  }
  return analyzers;
}

}  // namespace strata::documents
