// Wildcard: "pub*d" and "gr?y" against a whole text.
//
// Purpose:       `*` is any number of code points, `?` exactly one; a backslash makes the next character itself.
// Ownership:     owns its pattern.
// Thread safety: const methods from any thread.
// Invariants:    a match takes at most pattern x text steps: a mismatch goes back to the last asterisk alone, never
//                further. No allocation.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::text {

class Wildcard {
 public:
  explicit Wildcard(std::string_view pattern);

  // Told how many steps were taken, now and then; false: the answer is not wanted any more.
  using Spend = std::function<bool(size_t steps)>;
  bool matches(std::string_view text, const Spend& spend = nullptr) const;
  // What every match begins with.
  const std::string& prefix() const { return prefix_; }

 private:
  enum class Kind : uint8_t { exact, one, any };
  struct Part {
    Kind kind;
    uint32_t code_point;
  };

  std::vector<Part> parts_;
  std::string prefix_;
};

}  // namespace strata::text
