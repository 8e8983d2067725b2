// VectorRows: vectors of a collection, in memory for one computation.
//
// Purpose:       reads them from the keys: deferred ones take part, and nothing that is not committed.
// Ownership:     owns the numbers.
// Thread safety: none.
// Invariants:    ids ascend, unless they were asked for: then rows are in the order of the request, repeated where it
//                repeats. What is read in pages is not of one moment.
// Errors:        not_found ("collection 'X' not found", "vector 7 not found"), payload_too_large, what `check` says.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "kv/database.h"
#include "layers/vectors/vectors.h"
#include "math/rows.h"

namespace strata::service {

Result<vectors::Collection> find_vector_collection(const kv::Database& database, std::string_view name);
// Of the collection, now.
Result<uint64_t> count_vectors(const kv::Database& database, const vectors::Collection& collection);

struct VectorRows {
  std::vector<uint64_t> ids;
  std::vector<float> values;
  size_t dimension = 0;

  math::Rows rows() const { return {.values = values.data(), .count = ids.size(), .dimension = dimension}; }
};

// check: asked between pages.
using RowsCheck = std::function<Result<void>()>;

Result<VectorRows> load_vectors(const kv::Database& database, const vectors::Collection& collection,
                                std::span<const uint64_t> ids, const RowsCheck& check);
// Page by page, each of some MiB.
Result<void> visit_vectors(const kv::Database& database, const vectors::Collection& collection, const RowsCheck& check,
                           const std::function<Result<void>(const VectorRows& page)>& visit);
Result<VectorRows> load_all_vectors(const kv::Database& database, const vectors::Collection& collection,
                                    const RowsCheck& check);

}  // namespace strata::service
