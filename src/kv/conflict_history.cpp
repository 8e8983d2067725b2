#include "kv/conflict_history.h"

#include "kv/write_intervals.h"

namespace strata::kv {

ConflictHistory::ConflictHistory(Version start, ConflictHistoryOptions options)
    : options_(options),
      previous_(std::make_unique<WriteIntervals>(start)),
      current_(std::make_unique<WriteIntervals>(start)) {}
ConflictHistory::~ConflictHistory() = default;

Version ConflictHistory::oldest() const { return previous_->start(); }

bool ConflictHistory::written_after(const KeyRangeView& range, Version version) const {
  return current_->written_after(range, version) || previous_->written_after(range, version);
}

void ConflictHistory::add(const KeyRangeView& range, Version version) { current_->add(range, version); }

void ConflictHistory::advance(Version now) {
  const bool due = now - current_->start() >= options_.window || current_->bytes() >= options_.generation_bytes;
  if (!due) return;
  previous_ = std::move(current_);
  current_ = std::make_unique<WriteIntervals>(now);
}

void ConflictHistory::rest(Version newest, Version now) {
  if (now - newest < options_.window) return;
  previous_ = std::make_unique<WriteIntervals>(newest);
  current_ = std::make_unique<WriteIntervals>(newest);
}

size_t ConflictHistory::bytes() const { return previous_->bytes() + current_->bytes(); }

}  // namespace strata::kv
