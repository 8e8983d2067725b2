// Schema: what documents of a table must look like, as JSON Schema.
//
// Purpose:       compiled once, checked with every write.
// Ownership:     owns everything it was made from.
// Thread safety: constant after compile; any number of threads validate.
// Invariants:    nothing outside the schema is ever read: a $ref leads into the schema itself or is refused. Work and
//                nesting of one validation are bounded, whatever the schema says; patterns run in time linear in the
//                text (RE2). A keyword that would constrain and is not understood is refused, not skipped.
// Keywords:      those of drafts 4 to 2020-12 that docs/documents.md lists. `format` is an annotation.
#pragma once

#include <simdjson.h>

#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::documents {

class Schema {
 public:
  // invalid_argument names the keyword and where it stands. `text`: JSON, checked like a document.
  static Result<std::shared_ptr<const Schema>> compile(BytesView text);
  ~Schema();

  // invalid_argument: "$.a[3].b must be a string".
  Result<void> validate(simdjson::dom::element document) const;

  struct Node;
  struct Compiled;

 private:
  explicit Schema(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace strata::documents
