// BlobStore: a place outside the store where files of any size lie under names.
//
// Purpose:       backups go to a directory or to a bucket; whoever writes them does not know which.
// Ownership:     writers and readers share what they need of their store and may outlive it.
// Thread safety: a BlobStore: any thread. A writer or reader: one at a time. Calls block; they belong on a thread of
//                their own, never on one that serves requests.
// Invariants:    a blob is under its name whole or not at all. A writer that dies unfinished leaves nothing there.
// Errors:        not_found (no such blob), permission_denied (the other side refuses), unavailable (it cannot be
//                reached, after retries), conflict (replaced meanwhile), disk_full, io_error, operation_cancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_stream.h"
#include "base/bytes.h"
#include "base/result.h"

namespace strata::blobs {

class BlobWriter : public ByteSink {
 public:
  // Under its name and durable, instead of what had that name. Once.
  virtual Result<void> finish() = 0;
};

struct BlobInfo {
  std::string name;
  uint64_t size = 0;
};
struct BlobPage {
  std::vector<BlobInfo> blobs;  // by name, in the order of bytes
  bool more = false;
};

// Asked between pieces of long work, from the thread that does it; true: give up with operation_cancelled.
using Cancelled = std::function<bool()>;

class BlobStore {
 public:
  virtual ~BlobStore() = default;

  virtual Result<std::unique_ptr<BlobWriter>> create(std::string_view name) = 0;
  // A blob that is replaced while it is read is an error, never a mixture.
  virtual Result<std::unique_ptr<ByteSource>> open(std::string_view name) = 0;
  // Those whose names begin so and come behind `after`, at most `limit` (1 to 1,000).
  virtual Result<BlobPage> list(std::string_view prefix, std::string_view after, size_t limit) = 0;
  // What is not there is removed already.
  virtual Result<void> remove(std::string_view name) = 0;
};

// 1 to 1,024 bytes: names of letters, digits and "._-" joined by "/", none of them "." or "..".
Result<void> validate_blob_name(std::string_view name);

}  // namespace strata::blobs
