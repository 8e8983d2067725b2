// Mapped ranges: an index range, and for each of its rows what the row points at.
//
// Purpose:       FoundationDB's getMappedRange. The mapper is a packed tuple: literals ("{{" and "}}" stand for
//                braces), "{K[i]}" and "{V[i]}" for the i-th part of the index row's key or value, and last "{...}" for
//                all keys that begin with what stands before it.
// Ownership:     a Mapper owns its tuple.
// Thread safety: immutable after parse.
// Errors:        mapper_bad_index, mapper_bad_range_descriptor, key_not_tuple, value_not_tuple, mapper_not_tuple,
//                get_mapped_range_reads_your_writes (the index or what it points at was written by the transaction),
//                mapped_range_has_more (one row points at more than 1 MB).
#pragma once

#include <variant>
#include <vector>

#include "kv/transaction_state.h"
#include "tuple/tuple.h"

namespace strata::kv {

class Mapper {
 public:
  static Result<Mapper> parse(BytesView packed);
  // Where the row points: a range, of one key where the mapper does not end with "{...}".
  Result<KeyRange> map(BytesView key, BytesView value) const;

 private:
  enum class Source { key, value };
  struct Part {
    Source source;
    size_t index;
  };
  using Piece = std::variant<tuple::Element, Part>;

  static Result<Piece> parse_piece(const tuple::Element& element);

  std::vector<Piece> pieces_;
  bool is_range_ = false;
  bool uses_key_ = false;
  bool uses_value_ = false;
};

Future<MappedPage> read_mapped_range(const ReadTransaction& transaction, std::shared_ptr<TransactionState> state,
                                     const KeySelector& begin, const KeySelector& end, Mapper mapper,
                                     const RangeOptions& options);

}  // namespace strata::kv
