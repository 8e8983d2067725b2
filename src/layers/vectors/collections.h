// Collections: the list of names, and the numbers that keys carry instead of them.
//
// Purpose:       a collection is found, made and dropped in the transaction of the vectors it holds.
// Ownership:     values.
// Thread safety: as the transaction that is passed.
// Invariants:    a number is given out once and never again, so what is found under it belongs to the collection that
//                the number was made for. Writers read the row serializably: who drops a collection conflicts with
//                them.
#pragma once

#include <optional>
#include <vector>

#include "hnsw/types.h"
#include "kv/transaction.h"
#include "layers/vectors/vector_keys.h"

namespace strata::vectors {

using hnsw::Metric;
// "cosine", "euclidean", "dot_product", "manhattan"
std::string_view metric_name(Metric metric);
std::optional<Metric> parse_metric(std::string_view name);

struct CollectionOptions {
  uint32_t dimension = 0;
  Metric metric = Metric::cosine;
  float default_threshold = 0;
  uint64_t max_vectors = 0;  // 0: no limit
  bool quantized = false;
  uint32_t m = 16;
  uint32_t ef_construction = 200;
  uint8_t mode = 0;
  friend bool operator==(const CollectionOptions&, const CollectionOptions&) = default;
};

struct Collection {
  std::string name;
  int64_t number = 0;
  // Of all its keys.
  Bytes prefix;
  int64_t created_us = 0;
  // Drawn when it was made: whoever made it knows it again.
  uint64_t nonce = 0;
  CollectionOptions options;
};

// Letters, digits, '_' and '-'.
Result<void> validate_collection_name(std::string_view name);
Result<void> validate_collection_options(const CollectionOptions& options);

Result<std::optional<Collection>> find_collection(const kv::ReadTransaction& transaction, std::string_view name);
// Whether what lies under the collection's name is still its row.
bool is_row_of(const Collection& collection, BytesView row);
// nullopt: there is one of that name. The name and the options are valid.
Result<std::optional<Collection>> make_collection(kv::Transaction& transaction, std::string_view name,
                                                  const CollectionOptions& options, int64_t wall_us, uint64_t nonce);
// False: the name leads elsewhere by now. The threshold is finite.
Result<bool> set_default_threshold(kv::Transaction& transaction, const Collection& collection, float threshold);
// With all its vectors; nullopt when there was none.
Result<std::optional<Collection>> drop_collection(kv::Transaction& transaction, std::string_view name);
// Those whose names come behind `after`, by name, at most `limit`.
Result<std::vector<Collection>> list_collections(const kv::ReadTransaction& transaction, std::string_view after,
                                                 size_t limit);

}  // namespace strata::vectors
