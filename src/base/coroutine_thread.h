// CoroutineThread: a thread that runs functions as coroutines.
//
// Purpose:       many long conversations that mostly wait (a replica's streams) as straight-line code on one thread.
// Ownership:     owns its thread, the coroutines and their stacks.
// Thread safety: start from any thread, also from one of its coroutines.
// Invariants:    functions run on this thread alone, one at a time, each until it waits. The destructor waits until all
//                have ended: whoever destroys it has told them to.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/coroutine.h"

namespace strata {

class CoroutineThread final : public ReadyListener {
 public:
  CoroutineThread();
  ~CoroutineThread() override;
  CoroutineThread(const CoroutineThread&) = delete;
  CoroutineThread& operator=(const CoroutineThread&) = delete;

  // Errors that a function meets are its own affair; it must not throw.
  void start(std::function<void()> function);

 private:
  void on_ready() override;
  void loop();
  void run(std::vector<std::function<void()>> functions);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void()>> waiting_;
  bool woken_ = false;
  bool ending_ = false;
  CoroutinePool pool_{*this};
  std::thread thread_;  // last: it uses the members above
};

}  // namespace strata
