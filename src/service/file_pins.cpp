#include "service/file_pins.h"

namespace strata::service {

FilePins::Pin FilePins::enter() {
  std::lock_guard lock(mutex_);
  const unsigned generation = generation_ & 1;
  ++tickets_[generation];
  return {this, [self = shared_from_this(), generation](const void*) { self->leave(generation); }};
}

void FilePins::leave(unsigned generation) {
  std::lock_guard lock(mutex_);
  if (--tickets_[generation] == 0) left_.notify_all();
}

FilePins::Pin FilePins::pin(FileKind kind, const Hash& hash) {
  const Pinned what{kind, hash};
  std::lock_guard lock(mutex_);
  ++pinned_[what];
  return {this, [self = shared_from_this(), what](const void*) {
            std::lock_guard unpin(self->mutex_);
            const auto found = self->pinned_.find(what);
            if (--found->second == 0) self->pinned_.erase(found);
          }};
}

std::vector<FilePins::Pinned> FilePins::settle() {
  std::unique_lock lock(mutex_);
  // Only the one collection calls this, so the other generation is empty but for what an earlier call waited for.
  const unsigned old = generation_++ & 1;
  left_.wait(lock, [&] { return tickets_[old] == 0; });
  std::vector<Pinned> pinned;
  for (const auto& [what, count] : pinned_) pinned.push_back(what);
  return pinned;
}

Result<FilePins::Pin> FilePins::hold_off_collections() {
  std::lock_guard lock(mutex_);
  if (collecting_) return Error(ErrorCode::conflict, "garbage collection is running");
  ++held_off_;
  return Pin(this, [self = shared_from_this()](const void*) {
    std::lock_guard release(self->mutex_);
    --self->held_off_;
  });
}

Result<FilePins::Pin> FilePins::begin_collection() {
  std::lock_guard lock(mutex_);
  if (collecting_) return Error(ErrorCode::conflict, "garbage collection is running");
  if (held_off_ != 0) return Error(ErrorCode::conflict, "an import is running");
  collecting_ = true;
  return Pin(this, [self = shared_from_this()](const void*) {
    std::lock_guard release(self->mutex_);
    self->collecting_ = false;
  });
}

}  // namespace strata::service
