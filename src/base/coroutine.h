// Coroutine: a function on a stack of its own that can wait without holding its thread.
//
// Purpose:       a request is straight-line code; Future::get() inside it (base/wait.h) suspends the coroutine, and the
//                thread serves others meanwhile.
// Ownership:     a pool owns its coroutines and their stacks and reuses both. A stack is mapped with a guard page below
//                it and costs only the pages that were touched: 8-16 KB for a request that reads one key.
// Thread safety: a pool and its coroutines belong to one thread; only Coroutine's wake-up (the `resume` given to arm)
//                may come from any thread. It goes through the pool's list of ready coroutines: the first one to enter
//                an empty list calls ReadyListener::on_ready, whose thread then calls run_ready().
// Invariants:    a coroutine runs on the thread of its pool and no other, so that thread-local addresses the compiler
//                keeps stay right. Exceptions never leave a coroutine's function. A pool dies only when none is
//                running.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/wait.h"

namespace strata {

class CoroutinePool;

class Coroutine final : public Suspender {
 public:
  ~Coroutine() override;
  Coroutine(const Coroutine&) = delete;
  Coroutine& operator=(const Coroutine&) = delete;

  // From inside, when somebody else resumes from any thread.
  void suspend_until(const std::function<void(std::function<void()> resume)>& arm) override;

  // From inside: back to whoever resumed, who must see to it that resume() is called.
  void suspend();
  // From the pool's thread, outside.
  void resume();

  // Called on every suspend_until that really suspends, before it does: the server sends what it has gathered.
  void on_suspend(void (*hook)(void*), void* argument) {
    suspend_hook_ = hook;
    suspend_argument_ = argument;
  }

 private:
  friend class CoroutinePool;
  // Boost.Context's fiber and the sanitizers' bookkeeping.
  struct Stack;
  enum State : int { running, armed, suspended, woken };

  explicit Coroutine(CoroutinePool& pool);
  [[noreturn]] void body();
  void switch_out();
  void wake();

  CoroutinePool& pool_;
  std::unique_ptr<Stack> stack_;
  void (*function_)(void*) = nullptr;
  void* argument_ = nullptr;
  void (*suspend_hook_)(void*) = nullptr;
  void* suspend_argument_ = nullptr;
  bool finished_ = true;
  bool ending_ = false;
  std::atomic<int> state_{running};
  Coroutine* next_ready_ = nullptr;
};

class ReadyListener {
 public:
  virtual ~ReadyListener() = default;
  // From any thread: the pool's thread should call run_ready() soon.
  virtual void on_ready() = 0;
};

struct CoroutinePoolOptions {
  size_t stack_bytes = 262'144;
  // Stacks kept for reuse; more are unmapped when their coroutine ends.
  size_t max_idle = 256;
};

class CoroutinePool {
 public:
  using Options = CoroutinePoolOptions;
  explicit CoroutinePool(ReadyListener& listener, Options options = {});
  ~CoroutinePool();
  CoroutinePool(const CoroutinePool&) = delete;
  CoroutinePool& operator=(const CoroutinePool&) = delete;

  // Runs function(argument) in a coroutine until it ends or suspends for the first time. False when there is no memory
  // for a stack.
  bool start(void (*function)(void*), void* argument);
  // Resumes everything that was woken.
  void run_ready();
  // Started and not ended.
  size_t running() const { return all_ - idle_.size(); }

  // The one that runs now on this thread; nullptr outside of coroutines.
  static Coroutine* current() { return static_cast<Coroutine*>(current_suspender()); }

 private:
  friend class Coroutine;
  void make_ready(Coroutine* coroutine);
  void release(Coroutine* coroutine);

  ReadyListener& listener_;
  const Options options_;
  std::vector<std::unique_ptr<Coroutine>> idle_;
  size_t all_ = 0;
  // A stack of those woken, newest first; run_ready takes it as a whole and reverses it.
  std::atomic<Coroutine*> ready_{nullptr};
  // Threads inside wake(): the coroutine they woke may be done before they leave, the pool must still be there.
  std::atomic<int> waking_{0};
};

}  // namespace strata
