// LogPage: stored records of a log, many at a time.
//
// Purpose:       what everything that walks a log reads with. A record that lies in one part, which is nearly every
//                one, is a view into what the engine returned: no copy and no allocation a record.
// Ownership:     the page owns its records' bytes.
// Thread safety: as the transaction that is passed; a page belongs to one thread at a time.
// Invariants:    whole records, in commit order. A page holds max_bytes and one record more at most, so memory does not
//                grow with the log.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "kv/transaction.h"
#include "layers/records/keys.h"

namespace strata::records {

struct RawLogRecord {
  Stamp stamp{};
  BytesView bytes;  // for decode_log_record
};

struct LogPage {
  std::vector<RawLogRecord> records;
  // There may be more behind the last one, up to the bound that was given.
  bool more = false;

  // What the views refer to; stays where it is when the page moves.
  std::unique_ptr<kv::RangePage> rows;
  std::deque<Bytes> joined;
};

struct LogPageRequest {
  // Records behind this one; zeros: from the first.
  Stamp after{};
  // Up to and with this one.
  Stamp last{};
  size_t max_records = 0;  // 0: no limit
  size_t max_bytes = 256u << 10;
};

Result<LogPage> read_log_page(const kv::ReadTransaction& transaction, const Namespace& space,
                              const LogPageRequest& request);

}  // namespace strata::records
