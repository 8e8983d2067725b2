// LogSignal: who wrote to which namespace, and who waits for it.
//
// Purpose:       readers that follow a log wake when a commit adds to it; the background pass of the log learns which
//                namespaces to look at. Every service that commits operations calls notify after the commit.
// Ownership:     shared by the services of a program, which it outlives.
// Thread safety: any thread. notify is on the path of every write: two additions to atomics under a shared lock where
//                nobody waits.
// Invariants:    a change that is announced between sequence() and changed() is not missed. Signals are hints: one too
//                many costs a look at the log, and writes by another process are only found by looking (wake_all).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "base/future.h"

namespace strata::service {

class LogSignal {
 public:
  LogSignal() = default;
  LogSignal(const LogSignal&) = delete;
  LogSignal& operator=(const LogSignal&) = delete;

  // A transaction that wrote operations of this namespace is committed, or the namespace is removed.
  void notify(int64_t namespace_id);

  // Grows with every notify.
  uint64_t sequence(int64_t namespace_id);
  // Ready when sequence() is no longer `seen`, when the future is cancelled, and with the next wake_all.
  Future<void> changed(int64_t namespace_id, uint64_t seen);

  // Those notified since the last call, each once.
  std::vector<int64_t> take_written();
  void wake_all();
  // Of a namespace that is no more.
  void forget(int64_t namespace_id);

 private:
  struct Slot {
    std::atomic<uint64_t> sequence{0};
    std::atomic<bool> written{false};
    std::atomic<bool> has_waiting{false};
    std::mutex mutex;
    std::vector<Promise<void>> waiting;
  };

  std::shared_ptr<Slot> slot(int64_t namespace_id);
  static void wake(Slot& slot);

  std::shared_mutex slots_mutex_;
  std::unordered_map<int64_t, std::shared_ptr<Slot>> slots_;
  std::mutex written_mutex_;
  std::vector<int64_t> written_;
};

}  // namespace strata::service
