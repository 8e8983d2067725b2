// IndexPlan: which entries of which index hold every document that a filter can match.
//
// Purpose:       a query reads a few ranges of an index instead of the whole table.
// Ownership:     owns its ranges.
// Thread safety: pure function.
// Invariants:    candidates are a superset: the filter itself decides about each. Only ready indexes are used.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kv/engine.h"
#include "layers/documents/filter.h"
#include "layers/documents/index_definition.h"

namespace strata::documents {

struct IndexRange {
  kv::KeyRange range;
  // Of the entries' keys: what goes before the value.
  size_t prefix_bytes = 0;
};

struct IndexPlan {
  // What is read, for people: "status = \"published\"".
  std::vector<std::string> indexes;
  std::vector<IndexRange> ranges;
  // Keys that the filter itself names.
  std::vector<std::string> keys;
  // The less, the fewer documents are expected; a guess by the kind of condition.
  int cost = 0;
};

// nullopt: the table is to be scanned.
std::optional<IndexPlan> plan_filter(const Filter& filter, BytesView table_prefix,
                                     std::span<const IndexDefinition> indexes);

}  // namespace strata::documents
