#include "layers/files/hash_marks.h"

#include <algorithm>
#include <iterator>

#include "base/assert.h"

namespace strata::files {
namespace {

constexpr size_t first_values = 64;
// A scan of rows meets a mark every few rows, so that the next one is near.
constexpr size_t near_values = 16;

uint64_t prefix_of(const Hash& hash) { return read_be64(bytes_of(hash)); }

}  // namespace

void HashMarks::sort(Bucket& bucket) {
  if (bucket.sorted == bucket.values.size()) return;
  const auto middle = bucket.values.begin() + static_cast<ptrdiff_t>(bucket.sorted);
  std::sort(middle, bucket.values.end());
  const auto end = std::unique(middle, bucket.values.end());
  std::vector<uint64_t> all;
  all.reserve(bucket.values.capacity());
  std::set_union(bucket.values.begin(), middle, middle, end, std::back_inserter(all));
  bucket.values = std::move(all);
  bucket.sorted = bucket.values.size();
}

// What many versions name is added many times: only what is left after that has a claim to more room.
void HashMarks::make_room(Bucket& bucket) {
  const size_t capacity = bucket.values.capacity();
  sort(bucket);
  if (4 * bucket.values.size() < 3 * capacity) return;
  bucket.values.reserve(std::max(first_values, capacity + capacity / 2));
}

void HashMarks::add(const Hash& hash) {
  const uint64_t value = prefix_of(hash);
  Bucket& bucket = buckets_[value >> 56];
  if (bucket.values.size() == bucket.values.capacity()) make_room(bucket);
  bucket.values.push_back(value);
}

void HashMarks::sort() {
  for (Bucket& bucket : buckets_) sort(bucket);
  asked_at_ = 0;
}

bool HashMarks::contains(const Hash& hash) {
  const uint64_t value = prefix_of(hash);
  const size_t number = value >> 56;
  const std::vector<uint64_t>& values = buckets_[number].values;
  STRATA_ASSERT(buckets_[number].sorted == values.size());
  if (number != asked_bucket_ || (asked_at_ > 0 && values[asked_at_ - 1] >= value)) {
    asked_bucket_ = number;
    asked_at_ = 0;
  }
  const size_t near = std::min(values.size(), asked_at_ + near_values);
  while (asked_at_ < near && values[asked_at_] < value) ++asked_at_;
  if (asked_at_ == near && near < values.size()) {
    const auto from = values.begin() + static_cast<ptrdiff_t>(near);
    asked_at_ = static_cast<size_t>(std::lower_bound(from, values.end(), value) - values.begin());
  }
  return asked_at_ < values.size() && values[asked_at_] == value;
}

size_t HashMarks::size() const {
  size_t size = 0;
  for (const Bucket& bucket : buckets_) size += bucket.values.size();
  return size;
}

size_t HashMarks::bytes() const {
  size_t bytes = 0;
  for (const Bucket& bucket : buckets_) bytes += bucket.values.capacity() * sizeof(uint64_t);
  return bytes;
}

}  // namespace strata::files
