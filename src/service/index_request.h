// IndexRequest: an index as it is asked for, with its table or later.
//
// Purpose:       one place that says what a definition may be.
// Ownership:     views; the definition owns its parts.
// Thread safety: pure function.
// Invariants:    a definition has no id and is building: who stores it decides both.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "layers/documents/index_definition.h"

namespace strata::service {

using documents::index_type_name;
using documents::IndexState;

struct IndexRequest {
  // Of an index that is made with its table: not read.
  std::string_view table;
  std::string_view name;
  std::string_view field;
  std::string_view type;
  // Of a fulltext index; empty: english.
  std::string_view analyzer = {};
};

// invalid_argument names the field.
Result<documents::IndexDefinition> index_definition(const IndexRequest& request);
// Adds it to a table's: invalid_argument for a name that is taken, a second fulltext index of a field, too many.
Result<void> add_index(std::vector<documents::IndexDefinition>& indexes, uint32_t& next_id,
                       documents::IndexDefinition index);

}  // namespace strata::service
