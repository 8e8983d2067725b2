// Batch: what one request changes in one table.
//
// Purpose:       deletes, then inserts, then transforms; the outcome for each key is made in memory and written once.
// Ownership:     keys and texts are views of the request or of the batch's arena; operations are the batch's own.
// Thread safety: a Batch is constant once made: a transaction that is tried again applies it again.
// Invariants:    all of it or nothing (the transaction's promise). A document that a transform meets is the one that
//                the batch's own deletes and inserts leave.
// Errors:        invalid_argument and payload_too_large name the key.
#pragma once

#include <vector>

#include "base/arena.h"
#include "layers/documents/document_text.h"
#include "layers/documents/documents.h"
#include "layers/documents/schema.h"
#include "layers/documents/transform.h"

namespace strata::documents {

struct Insert {
  BytesView key;
  BytesView text;  // minified
};

struct Transform {
  BytesView key;
  std::vector<TransformOperation> operations;
  // A missing document is made; else it is left alone.
  bool upsert = false;
};

struct Batch {
  std::vector<BytesView> deletes;
  std::vector<Insert> inserts;  // no key twice
  std::vector<Transform> transforms;
  // Of texts that are not as they came.
  Arena arena = {};

  bool empty() const { return deletes.empty() && inserts.empty() && transforms.empty(); }
};

struct BatchContext {
  // Null: any document.
  const Schema* schema = nullptr;
  size_t document_limit_bytes = max_document_bytes;
  int64_t wall_us = 0;
};

Result<void> apply_batch(kv::Transaction& transaction, const Table& table, const Batch& batch,
                         const BatchContext& context);

// The message in front of what is wrong with a document.
Error about_document(BytesView key, const Error& error);
// Against the table's schema; the error names key and path.
Result<void> check_schema(const Schema* schema, BytesView key, BytesView text);
// RFC 3339 in UTC with microseconds.
std::string format_time(int64_t wall_us);

}  // namespace strata::documents
