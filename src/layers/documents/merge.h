// Merge: a sorted page of an outside source, laid over a part of a table.
//
// Purpose:       inserts what is new, replaces what differs, removes what the source does not have.
// Ownership:     keys and texts are views of the request.
// Thread safety: as the transaction that is passed.
// Invariants:    nothing is removed at or below the cursor, nor behind the page's last key unless the page is the final
//                one. Order is that of bytes: a page of "a" alone does not touch "a:1". Equal documents are not
//                written. What one call does stays within its budget; it says where it stopped.
#pragma once

#include <span>
#include <vector>

#include "layers/documents/batch.h"

namespace strata::documents {

struct MergeRecord {
  BytesView key;
  BytesView text;  // minified
};

struct MergeRequest {
  std::span<const MergeRecord> records;  // by key, none twice
  // The cursor: removals begin behind it. Empty: the table's beginning.
  BytesView after;
  // Removals reach to the table's end.
  bool final = false;
  bool dry_run = false;
  const Schema* schema = nullptr;
  // What may be written, keys and bookkeeping counted.
  size_t budget_bytes = 0;
};

struct MergeOutcome {
  size_t upserted = 0;
  size_t skipped = 0;
  size_t deleted = 0;
  size_t keys_scanned = 0;
  // With dry_run alone.
  std::vector<Bytes> deleted_keys;
  // The last key that was dealt with: all up to it is as the source has it.
  Bytes reached;
  // More is to be done behind `reached`.
  bool partial = false;
  // Records at or below the cursor that were dealt with; fewer than there are: call again with the rest of the records.
  size_t records_below = 0;
  bool below_done = true;
};

Result<MergeOutcome> merge_page(kv::Transaction& transaction, const Table& table, const MergeRequest& request);

}  // namespace strata::documents
