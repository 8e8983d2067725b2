// FilePins: what is being read of versioned files, so that no collection takes it.
//
// Purpose:       a reader, a listing or an export of a version that nobody names any more reads it to its end.
// Ownership:     shared: a pin keeps the table alive.
// Thread safety: any thread. settle() holds its thread, so no coroutine calls it.
// Invariants:    whoever looks something up in order to pin it holds a ticket from before the look-up until it is
//                pinned; settle() answers what was pinned after every ticket from before the call was given back. So
//                what a look-up found at a version before the call is in the answer, or not wanted any more.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "service/file_types.h"

namespace strata::service {

class FilePins : public std::enable_shared_from_this<FilePins> {
 public:
  using Pin = std::shared_ptr<const void>;
  struct Pinned {
    FileKind kind;
    Hash hash;
    friend auto operator<=>(const Pinned&, const Pinned&) = default;
  };

  // Given back when it dies.
  Pin enter();
  // A directory with all below it, a file with its chunks, or a chunk. The caller holds a ticket, or a pin of something
  // that it is part of.
  Pin pin(FileKind kind, const Hash& hash);
  std::vector<Pinned> settle();

  // Entries that nothing names yet are being written (an import): no collection begins meanwhile. conflict: one runs.
  Result<Pin> hold_off_collections();
  // Held by the collection. conflict: another one runs, or is held off.
  Result<Pin> begin_collection();

 private:
  void leave(unsigned generation);

  std::mutex mutex_;
  std::condition_variable left_;
  // Of even and odd generations.
  size_t tickets_[2] = {0, 0};
  unsigned generation_ = 0;
  std::map<Pinned, size_t> pinned_;
  size_t held_off_ = 0;
  bool collecting_ = false;
};

}  // namespace strata::service
