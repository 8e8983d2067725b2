// WriterFirstMutex: many readers or one writer, and a writer that waits goes before readers that come later.
//
// Purpose:       std::shared_mutex lets readers in as long as any is inside: under searches without a pause a writer
//                would never get its turn.
// Ownership:     a lock.
// Thread safety: any thread. A reader that already holds it must not lock it again: a waiting writer would stop it for
//                good.
#pragma once

#include <pthread.h>

#include "base/assert.h"

namespace strata {

// For std::shared_lock and std::unique_lock.
class WriterFirstMutex {
 public:
  WriterFirstMutex() {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    STRATA_ASSERT(pthread_rwlock_init(&lock_, &attributes) == 0);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~WriterFirstMutex() { pthread_rwlock_destroy(&lock_); }
  WriterFirstMutex(const WriterFirstMutex&) = delete;
  WriterFirstMutex& operator=(const WriterFirstMutex&) = delete;

  void lock() { STRATA_ASSERT(pthread_rwlock_wrlock(&lock_) == 0); }
  void unlock() { pthread_rwlock_unlock(&lock_); }
  void lock_shared() { STRATA_ASSERT(pthread_rwlock_rdlock(&lock_) == 0); }
  void unlock_shared() { pthread_rwlock_unlock(&lock_); }

 private:
  pthread_rwlock_t lock_;
};

}  // namespace strata
