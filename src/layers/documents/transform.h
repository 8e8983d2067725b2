// Transforms: changes of a part of a document, applied where the document is.
//
// Purpose:       $set $unset $inc $mul $min $max $push $addToSet $pull $pop $currentDate $rename, on a tree.
// Ownership:     operations own their values.
// Thread safety: a TransformOperation is constant once made; apply_transform changes the tree it is given.
// Invariants:    integers stay integers: what does not fit 64 bits is an error, never rounded. A failed operation
//                leaves a tree that must not be stored. Names lead through objects; a number leads to an element of an
//                array.
// Errors:        invalid_argument, beginning with the operator and its path.
#pragma once

#include <optional>
#include <string>

#include "layers/documents/document_path.h"
#include "layers/documents/document_tree.h"

namespace strata::documents {

enum class TransformOperator {
  set,
  unset,
  increment,
  multiply,
  minimum,
  maximum,
  push,
  add_to_set,
  pull,
  pop,
  current_date,
  rename,
};

struct TransformOperation {
  TransformOperator op = TransformOperator::set;
  DocumentPath path;
  // Null for operators that need none.
  Value value;
  // Of rename.
  DocumentPath to;
};

// `op` as it is written: "$set". `value`: JSON text; absent is an error for operators that need one.
Result<TransformOperation> make_transform_operation(std::string_view op, std::string_view path,
                                                    std::optional<BytesView> value);

// What a batch may do before it is refused: values compared and members passed.
inline constexpr uint64_t max_transform_work = 100'000'000;

struct TransformContext {
  // $currentDate of the whole batch.
  std::string now;
  uint64_t work = 0;
};

// `document` is an object, and is one afterwards.
Result<void> apply_transform(Value& document, const TransformOperation& operation, TransformContext& context);

}  // namespace strata::documents
