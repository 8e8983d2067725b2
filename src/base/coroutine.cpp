#include "base/coroutine.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/context/fiber.hpp>
#include <utility>

#include "base/assert.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STRATA_ASAN_FIBERS 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_feature(thread_sanitizer)
#define STRATA_TSAN_FIBERS 1
#include <sanitizer/tsan_interface.h>
#endif
#endif

namespace strata {
namespace {

// Sanitizers put red zones around every local: frames grow about four times.
#if defined(STRATA_ASAN_FIBERS) || defined(STRATA_TSAN_FIBERS)
constexpr size_t stack_factor = 4;
#else
constexpr size_t stack_factor = 1;
#endif

size_t page_bytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// The stack concept of Boost.Context over a mapping that outlives the fiber.
struct MappedStackAllocator {
  boost::context::stack_context context;
  boost::context::stack_context allocate() { return context; }
  void deallocate(boost::context::stack_context&) noexcept {}
};

struct NeverDestroyed {
  NeverDestroyed() : value() {}
  ~NeverDestroyed() {}
  union {
    boost::context::fiber value;
  };
};

}  // namespace

struct Coroutine::Stack {
  ~Stack() {
#ifdef STRATA_TSAN_FIBERS
    if (tsan_fiber) __tsan_destroy_fiber(tsan_fiber);
#endif
#ifdef STRATA_ASAN_FIBERS
    // The frames left on it have red zones; whatever is mapped here next must not inherit them.
    if (mapping) __asan_unpoison_memory_region(low, size);
#endif
    if (mapping) munmap(mapping, mapping_bytes);
  }

  bool map(size_t stack_bytes) {
    const size_t page = page_bytes();
    const size_t usable = (stack_bytes * stack_factor + page - 1) / page * page;
    mapping_bytes = usable + page;
    void* at = mmap(nullptr, mapping_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (at == MAP_FAILED) return false;
    mapping = at;
    if (mprotect(mapping, page, PROT_NONE) != 0) return false;
    low = static_cast<char*>(mapping) + page;
    size = usable;
    return true;
  }

  void* mapping = nullptr;
  size_t mapping_bytes = 0;
  char* low = nullptr;
  size_t size = 0;
  NeverDestroyed fiber;          // the coroutine, while it is suspended
  boost::context::fiber caller;  // who resumed it, while it runs
#ifdef STRATA_ASAN_FIBERS
  const void* caller_low = nullptr;
  size_t caller_size = 0;
#endif
#ifdef STRATA_TSAN_FIBERS
  void* tsan_fiber = nullptr;
  void* tsan_caller = nullptr;
#endif
};

Coroutine::Coroutine(CoroutinePool& pool) : pool_(pool), stack_(std::make_unique<Stack>()) {}

// Between functions a coroutine's stack holds nothing that wants destroying: it is unmapped as it is. Neither Boost's
// forced unwinding (an exception through anybody's frames) nor a return out of the fiber is needed.
Coroutine::~Coroutine() {
  STRATA_ASSERT(finished_);
#ifdef STRATA_ASAN_FIBERS
  // But the sanitizer's shadow of the stack is given back from inside only.
  if (stack_->fiber.value) {
    ending_ = true;
    resume();
  }
#endif
}

void Coroutine::body() {
#ifdef STRATA_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(nullptr, &stack_->caller_low, &stack_->caller_size);
#endif
  for (;;) {
    if (!ending_) function_(argument_);
    finished_ = true;
    switch_out();
  }
}

void Coroutine::switch_out() {
#ifdef STRATA_ASAN_FIBERS
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(ending_ ? nullptr : &fake_stack, stack_->caller_low, stack_->caller_size);
#endif
#ifdef STRATA_TSAN_FIBERS
  __tsan_switch_to_fiber(stack_->tsan_caller, 0);
#endif
  stack_->caller = std::move(stack_->caller).resume();
#ifdef STRATA_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(fake_stack, &stack_->caller_low, &stack_->caller_size);
#endif
}

void Coroutine::resume() {
  Stack& stack = *stack_;
  boost::context::fiber& fiber = stack.fiber.value;
  if (!fiber) {
    boost::context::stack_context context;
    context.sp = stack.low + stack.size;
    context.size = stack.size;
    fiber = boost::context::fiber(std::allocator_arg, MappedStackAllocator{context},
                                  [this](boost::context::fiber&& caller) {
                                    stack_->caller = std::move(caller);
                                    body();
                                    return std::move(stack_->caller);
                                  });
#ifdef STRATA_TSAN_FIBERS
    if (!stack.tsan_fiber) stack.tsan_fiber = __tsan_create_fiber(0);
#endif
  }
  Suspender* before = set_current_suspender(this);
#ifdef STRATA_ASAN_FIBERS
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack.low, stack.size);
#endif
#ifdef STRATA_TSAN_FIBERS
  stack.tsan_caller = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(stack.tsan_fiber, 0);
#endif
  fiber = std::move(fiber).resume();
#ifdef STRATA_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  set_current_suspender(before);
  if (finished_ && !ending_) pool_.release(this);
}

void Coroutine::suspend() {
  STRATA_ASSERT(current_suspender() == this);
  switch_out();
}

void Coroutine::suspend_until(const std::function<void(std::function<void()> resume)>& arm) {
  STRATA_ASSERT(current_suspender() == this);
  state_.store(armed, std::memory_order_relaxed);
  arm([this] { wake(); });
  if (state_.load(std::memory_order_acquire) == armed) {
    if (suspend_hook_) suspend_hook_(suspend_argument_);
    int expected = armed;
    // A wake-up from here on goes through the ready list, which this thread reads only after it has left this stack.
    if (state_.compare_exchange_strong(expected, suspended, std::memory_order_acq_rel)) switch_out();
  }
  STRATA_ASSERT(state_.load(std::memory_order_acquire) == woken);
  state_.store(running, std::memory_order_relaxed);
}

void Coroutine::wake() {
  CoroutinePool& pool = pool_;
  pool.waking_.fetch_add(1, std::memory_order_relaxed);
  const int before = state_.exchange(woken, std::memory_order_acq_rel);
  STRATA_ASSERT(before == armed || before == suspended);
  if (before == suspended) pool.make_ready(this);
  pool.waking_.fetch_sub(1, std::memory_order_release);
}

CoroutinePool::CoroutinePool(ReadyListener& listener, Options options) : listener_(listener), options_(options) {}

CoroutinePool::~CoroutinePool() {
  STRATA_ASSERT(running() == 0);
  while (waking_.load(std::memory_order_acquire) != 0) sched_yield();
}

bool CoroutinePool::start(void (*function)(void*), void* argument) {
  std::unique_ptr<Coroutine> coroutine;
  if (!idle_.empty()) {
    coroutine = std::move(idle_.back());
    idle_.pop_back();
  } else {
    coroutine.reset(new Coroutine(*this));
    if (!coroutine->stack_->map(options_.stack_bytes)) return false;
    ++all_;
  }
  coroutine->function_ = function;
  coroutine->argument_ = argument;
  coroutine->suspend_hook_ = nullptr;
  coroutine->finished_ = false;
  // It owns itself while it runs: release() takes it back.
  coroutine.release()->resume();
  return true;
}

void CoroutinePool::release(Coroutine* coroutine) {
  std::unique_ptr<Coroutine> owned(coroutine);
  if (idle_.size() < options_.max_idle) {
    idle_.push_back(std::move(owned));
  } else {
    --all_;
  }
}

void CoroutinePool::make_ready(Coroutine* coroutine) {
  Coroutine* head = ready_.load(std::memory_order_relaxed);
  do {
    coroutine->next_ready_ = head;
  } while (!ready_.compare_exchange_weak(head, coroutine, std::memory_order_release, std::memory_order_relaxed));
  if (head == nullptr) listener_.on_ready();
}

void CoroutinePool::run_ready() {
  Coroutine* newest = ready_.exchange(nullptr, std::memory_order_acquire);
  Coroutine* oldest = nullptr;
  while (newest) {
    Coroutine* next = newest->next_ready_;
    newest->next_ready_ = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest) {
    Coroutine* next = oldest->next_ready_;
    oldest->resume();
    oldest = next;
  }
}

}  // namespace strata
