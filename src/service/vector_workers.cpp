#include "service/vector_workers.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "service/vector_view.h"

namespace strata::service {
namespace {

// Vectors between looks at what else waits.
constexpr size_t turn = 32;
// A ninth of the share of a thread that serves: searches keep four fifths of their rate beside an insert at full speed,
// and writers still get on.
constexpr int niceness = 10;

}  // namespace

VectorWorkers::VectorWorkers(size_t threads)
    : count_(threads != 0 ? threads : std::max<size_t>(std::thread::hardware_concurrency(), 1)) {
  for (size_t at = 0; at < count_; ++at) threads_.emplace_back([this] { work(); });
}

void VectorWorkers::schedule(const std::shared_ptr<VectorView>& view) {
  {
    std::lock_guard lock(mutex_);
    // More than one thread may work on a view; more entries than threads help nobody.
    if (std::ranges::count(queue_, view) >= static_cast<ptrdiff_t>(count_)) return;
    queue_.push_back(view);
  }
  changed_.notify_one();
}

void VectorWorkers::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void VectorWorkers::work() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), niceness);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const std::shared_ptr<VectorView> view = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    const bool more = move_some(*view);
    if (more) schedule(view);
    lock.lock();
  }
}

bool VectorWorkers::move_some(VectorView& view) {
  if (view.is_abandoned()) return false;
  for (size_t at = 0; at < turn; ++at) {
    const Result<bool> moved = view.move_one();
    if (!moved.ok()) {
      // The disk of the rows is full or broken. Searches scan what is pending; writers wait meanwhile.
      log::warning("a vector is not in its index yet", {{"error", moved.error().message()}});
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      return true;
    }
    if (!*moved) return false;
  }
  return true;
}

}  // namespace strata::service
