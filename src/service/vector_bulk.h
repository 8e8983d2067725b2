// VectorBulk: one bulk insert, as a stream of rows.
//
// Purpose:       rows come in one by one, from a body or a stream; they are committed in batches, so that memory holds
//                one batch whatever the length of the stream.
// Ownership:     borrows the service; rows are copied.
// Thread safety: one caller at a time.
// Invariants:    a row that is wrong fails alone, with its index (from 0) in the message. Rows are committed in input
//                order, a batch in one transaction. What finish() counts is committed, as durable as asked.
// Errors:        a full queue and a failing store end the bulk: what was committed before is in the answer of finish(),
//                with the error as its last; with nothing committed finish() returns the error itself.
#pragma once

#include <memory>

#include "service/context.h"
#include "service/vector_types.h"

namespace strata::service {

class VectorBulk {
 public:
  virtual ~VectorBulk() = default;
  virtual uint32_t dimension() const = 0;
  // Commits when a batch is full, and waits for it. False: the bulk has ended early, send no more and call finish().
  virtual bool add(const Context& context, VectorRow row) = 0;
  // A row that could not even be read: it fails with this message.
  virtual bool add_failed(const Context& context, std::string_view why) = 0;
  // Commits the rest. Once.
  virtual Result<BulkAnswer> finish(const Context& context) = 0;
};

}  // namespace strata::service
