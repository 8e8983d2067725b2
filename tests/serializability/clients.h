// Clients: threads that make transactions until enough have committed.
//
// Purpose:       what all workloads share.
// Ownership:     joins its threads before it returns.
// Thread safety: Clients is shared by its threads.
// Invariants:    the first finding stops all.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/random.h"
#include "serializability/workloads.h"

namespace strata::serializability {

class Clients {
 public:
  explicit Clients(const Load& load) : load_(load) {}

  // `work`(client, random) makes one transaction, with as many attempts as it takes.
  Finding run(const std::function<void(size_t client, Random& random)>& work) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < load_.clients; ++i) {
      threads.emplace_back([this, i, &work] {
        Random random(load_.seed * 1'000 + i);
        while (next_++ < load_.transactions && !stopped_) work(i, random);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return finding_;
  }

  void report(const std::string& finding) {
    std::lock_guard lock(mutex_);
    if (!finding_) finding_ = finding;
    stopped_ = true;
  }

  // A place where others may come in between: with few cores they seldom would.
  static void pause(Random& random) {
    if (random.one_in(3)) std::this_thread::yield();
  }

 private:
  const Load load_;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  Finding finding_;
};

}  // namespace strata::serializability
