// VectorPace: where the work of a search is done, and when it ends early.
//
// Purpose:       most searches take microseconds and run where their request runs. What would keep others waiting there
//                (an exact scan of very many vectors, a batch of many searches) is done on threads of its own.
// Ownership:     a VectorPace belongs to one call and borrows its context; LongSearches are the service's.
// Thread safety: LongSearches: any thread. A VectorPace: its call, wherever that runs at the moment.
// Invariants:    between two moments at which others may run, a call reads no more than short_bytes on its own thread.
// Errors:        of check(): operation_cancelled, transaction_timed_out. Of run(): too_many_requests besides.
#pragma once

#include <atomic>

#include "base/clock.h"
#include "service/context.h"
#include "service/long_jobs.h"
#include "service/turns.h"

namespace strata::service {

struct LongSearches {
  // What waits, waits for a processor more than for a thread.
  Turns turns{4, 1'024};
  std::atomic<uint64_t> running{0};
  LongJobs jobs;
};

class VectorPace {
 public:
  // Of codes: 2 to 3 ms, 200,000 comparisons of 128 dimensions.
  static constexpr uint64_t default_short_bytes = 25u << 20;
  // Reading a key takes as long as comparing so much.
  static constexpr uint64_t bytes_of_key = 16u << 10;

  VectorPace(LongSearches& searches, uint64_t short_bytes, const Context& context, const Clock& clock, StopHandle stop)
      : searches_(searches), short_bytes_(short_bytes), context_(context), clock_(clock), stop_(std::move(stop)) {}

  // Whether the client has gone or the deadline is over.
  Result<void> check() const;
  // work() reads about so many bytes. It uses what outlives this call, and does not throw.
  template <class T>
  Result<T> run(uint64_t bytes, const std::function<Result<T>()>& work) {
    if (spent_bytes_ + bytes <= short_bytes_) {
      spent_bytes_ += bytes;
      return work();
    }
    RETURN_IF_ERROR(check());
    ASSIGN_OR_RETURN(const Turns::Turn turn, searches_.turns.take());
    spent_bytes_ = 0;
    // Who waited may be late.
    RETURN_IF_ERROR(check());
    if (stop_ == nullptr) stop_ = std::make_shared<StopFlag>();
    ++searches_.running;
    Result<T> result = searches_.jobs.run<T>(stop_, work);
    --searches_.running;
    return result;
  }

 private:
  LongSearches& searches_;
  const uint64_t short_bytes_;
  const Context& context_;
  const Clock& clock_;
  StopHandle stop_;
  uint64_t spent_bytes_ = 0;
};

}  // namespace strata::service
