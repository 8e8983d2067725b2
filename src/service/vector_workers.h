// VectorWorkers: the threads that move pending vectors into their graphs.
//
// Purpose:       building the graph is most of the work of an insert; it is done here, after the answer, with less
//                right to the processor than searches have.
// Ownership:     owns its threads; shares views while they have work.
// Thread safety: any thread.
// Invariants:    every view that was scheduled is worked on until nothing is pending, or it is abandoned. After stop()
//                nothing runs.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace strata::service {

class VectorView;

class VectorWorkers {
 public:
  explicit VectorWorkers(size_t threads);
  ~VectorWorkers() { stop(); }
  VectorWorkers(const VectorWorkers&) = delete;
  VectorWorkers& operator=(const VectorWorkers&) = delete;

  void schedule(const std::shared_ptr<VectorView>& view);
  void stop();
  size_t threads() const { return count_; }

 private:
  void work();
  // True: there may be more.
  static bool move_some(VectorView& view);

  const size_t count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<VectorView>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace strata::service
