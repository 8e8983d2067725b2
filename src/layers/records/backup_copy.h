// The state of a namespace, page by page: what a snapshot copies.
//
// Purpose:       a copy must not depend on one version being readable for as long as it takes (an engine may give 5 s),
//                so each page is read at a version of its own; what was committed meanwhile is made good by the log's
//                records (docs/formats/backup.md).
// Ownership:     a page owns what its items view.
// Thread safety: as the transaction that is passed.
// Invariants:    every key that stood there all the time is in exactly one page. A page is about page_bytes and one
//                value or column more, so memory does not grow with the namespace.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "kv/transaction.h"
#include "layers/records/backup_format.h"
#include "layers/records/objects.h"

namespace strata::records {

struct CopiedPage {
  static constexpr size_t page_bytes = 256u << 10;

  // Values; rows, each in front of its columns, again in every page that has columns of it.
  std::vector<BackupItem> items;
  // Of an object page instead: what the heads say.
  struct Object {
    BytesView key;
    StoredObject object;
  };
  std::vector<Object> objects;
  // Where the next page begins; empty: there is none.
  Bytes next;

  // What the views refer to; stays where it is when the page moves.
  std::unique_ptr<kv::RangePage> rows;
  std::deque<Bytes> joined;
};

// from: empty, or `next` of the page before.
Result<CopiedPage> copy_values(const kv::ReadTransaction& transaction, const Namespace& space, BytesView from);
Result<CopiedPage> copy_rows(const kv::ReadTransaction& transaction, const Namespace& space, BytesView from);
Result<CopiedPage> copy_object_heads(const kv::ReadTransaction& transaction, const Namespace& space, BytesView from);

}  // namespace strata::records
