#include "base/clock.h"

#include <chrono>

namespace strata {
namespace {

class SystemClock final : public Clock {
 public:
  int64_t steady_us() const override { return since_epoch_us<std::chrono::steady_clock>(); }
  int64_t wall_us() const override { return since_epoch_us<std::chrono::system_clock>(); }

 private:
  template <class StandardClock>
  static int64_t since_epoch_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(StandardClock::now().time_since_epoch()).count();
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace strata
