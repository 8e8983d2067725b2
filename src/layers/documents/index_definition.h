// IndexDefinition: what an index of a table is of; a part of the table's row.
//
// Purpose:       name, field, type and state; the bytes they are stored as (docs/formats/documents-indexes.md).
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    an id is given out once in a table. A building index is kept up to date by every write, and is not
//                read until it is ready.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "layers/documents/document_path.h"
#include "layers/documents/filter_builder.h"
#include "text/analyzer.h"

namespace strata::documents {

inline constexpr size_t max_indexes = 64;

// Stored as these numbers.
enum class IndexType : uint8_t { string = 1, number = 2, boolean = 3, date = 4, fulltext = 5 };
enum class IndexState : uint8_t { building = 1, ready = 2 };

std::string_view index_type_name(IndexType type);
std::optional<IndexType> find_index_type(std::string_view name);

struct IndexDefinition {
  uint32_t id = 0;
  std::string name;
  DocumentPath field;
  IndexType type = IndexType::string;
  IndexState state = IndexState::building;
  // Of a fulltext index.
  text::Analyzer analyzer;
};

// Appends nothing for no indexes and a next id of 1.
void append_indexes(Bytes& out, std::span<const IndexDefinition> indexes, uint32_t next_id);
// Takes all of `in`; corruption when it is broken.
Result<void> take_indexes(BytesView in, std::vector<IndexDefinition>& indexes, uint32_t& next_id);

// What filters on the table must know.
FieldAnalyzers field_analyzers(std::span<const IndexDefinition> indexes);

}  // namespace strata::documents
