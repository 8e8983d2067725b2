// ObjectPins: which large objects are being read, and which are being cleared.
//
// Purpose:       a reader of an object that is replaced meanwhile reads the old one to its end.
// Ownership:     shared: a pin keeps the table alive.
// Thread safety: any thread.
// Invariants:    an object is never pinned and being cleared at the same time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "layers/records/operation.h"

namespace strata::service {

class ObjectPins : public std::enable_shared_from_this<ObjectPins> {
 public:
  using Pin = std::shared_ptr<void>;

  // Null while the object is being cleared.
  Pin pin(const records::ObjectId& id) {
    std::lock_guard lock(mutex_);
    if (clearing_.count(id) != 0) return nullptr;
    ++pinned_[id];
    return {this, [self = shared_from_this(), id](void*) { self->unpin(id); }};
  }

  // False: somebody reads it.
  bool begin_clearing(const records::ObjectId& id) {
    std::lock_guard lock(mutex_);
    if (pinned_.count(id) != 0) return false;
    clearing_.insert(id);
    return true;
  }
  void end_clearing(const records::ObjectId& id) {
    std::lock_guard lock(mutex_);
    clearing_.erase(id);
  }

 private:
  void unpin(const records::ObjectId& id) {
    std::lock_guard lock(mutex_);
    const auto found = pinned_.find(id);
    if (--found->second == 0) pinned_.erase(found);
  }

  std::mutex mutex_;
  std::map<records::ObjectId, size_t> pinned_;
  std::set<records::ObjectId> clearing_;
};

}  // namespace strata::service
