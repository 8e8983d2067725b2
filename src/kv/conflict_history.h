// ConflictHistory: what was written lately, and when.
//
// Purpose:       decides whether anything in a key range was written after a version.
// Ownership:     copies the keys it is given; they go with their generation.
// Thread safety: none: it belongs to the one thread that resolves commits.
// Invariants:    versions are added in order. No write newer than oldest() is missing; older ones are forgotten a
//                generation at a time, so a window's knowledge lies between one window and two.
#pragma once

#include <cstdint>
#include <memory>

#include "kv/engine.h"

namespace strata::kv {

class WriteIntervals;

struct ConflictHistoryOptions {
  // Versions, about 1,000,000 a second.
  Version window = 5'000'000;
  // Of one generation. Beyond it the window shrinks: 128 MiB hold about 1.8 million keys.
  size_t generation_bytes = 128u << 20;
};

class ConflictHistory {
 public:
  // Everything up to `start` counts as forgotten.
  explicit ConflictHistory(Version start, ConflictHistoryOptions options = {});
  ~ConflictHistory();

  // Reads at an older version cannot be checked: transaction_too_old.
  Version oldest() const;
  // Whether [begin, end) holds a write newer than `version`, which is not older than oldest().
  bool written_after(const KeyRangeView& range, Version version) const;
  // A write of [begin, end), begin < end; `version` is at least every earlier one, newer than the last advance(), and
  // less than half an hour of versions newer: who has been idle for longer advances first.
  void add(const KeyRangeView& range, Version version);
  // Between versions: `now` is at least every version added. Forgets what is older than the window.
  void advance(Version now);
  // Between versions, when nothing was written after `newest` up to `now`: forgets all of it once it is older than the
  // window. Reads at `newest` can still be checked.
  void rest(Version newest, Version now);
  size_t bytes() const;

 private:
  const ConflictHistoryOptions options_;
  std::unique_ptr<WriteIntervals> previous_;
  std::unique_ptr<WriteIntervals> current_;
};

}  // namespace strata::kv
