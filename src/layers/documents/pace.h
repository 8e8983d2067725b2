// Pace: lets others have a turn while a computation takes long.
//
// Purpose:       a filter of many clauses on a document of many megabytes is minutes of work, on a thread that serves
//                others too.
// Ownership:     owns its function.
// Thread safety: none.
// Invariants:    the pause is called once for every turn of work, never while it is held off, and not any more when it
//                has failed: whoever asks is then told to stop.
#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"

namespace strata::documents {

class Pace {
 public:
  // Waits until it is the caller's turn again; an error is why it is not to go on.
  using Pause = std::function<Result<void>()>;
  // Bytes looked at by one clause: about 10 ms.
  static constexpr size_t units_a_turn = 1u << 20;

  // Without a pause the work goes on.
  explicit Pace(Pause pause = nullptr) : pause_(std::move(pause)) {}

  // False: stop, and give status() back.
  bool spend(size_t units) {
    spent_ += units;
    return spent_ < units_a_turn || is_held_off_ ? status_.ok() : rest();
  }
  // While what is worked on belongs to the thread.
  void hold_off(bool held) { is_held_off_ = held; }
  const Result<void>& status() const { return status_; }

 private:
  bool rest() {
    spent_ = 0;
    if (status_.ok() && pause_) status_ = pause_();
    return status_.ok();
  }

  Pause pause_;
  size_t spent_ = 0;
  bool is_held_off_ = false;
  Result<void> status_;
};

}  // namespace strata::documents
