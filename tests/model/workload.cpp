#include "model/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "tuple/tuple.h"

namespace strata::model {
namespace {

constexpr char alphabet[] = {'\0', 'a', 'b', 'c', '\xfe', '\xff'};

constexpr MutationType atomics[] = {
    MutationType::add,      MutationType::bit_and,  MutationType::bit_or,           MutationType::bit_xor,
    MutationType::max,      MutationType::min,      MutationType::append_if_fits,   MutationType::byte_min,
    MutationType::byte_max, MutationType::byte_max, MutationType::compare_and_clear};

Bytes with_offset(Bytes operand, uint32_t offset) {
  append_le32(operand, offset);
  return operand;
}

}  // namespace

Bytes Workload::letters(size_t least, size_t most, bool may_start_at_the_end) {
  Bytes out;
  const size_t size = least + random_.below(most - least + 1);
  while (out.size() < size) {
    const char letter = alphabet[random_.below(sizeof alphabet)];
    if (out.empty() && letter == '\xff' && !may_start_at_the_end) continue;
    out.push_back(letter);
  }
  return out;
}

Bytes Workload::key(const Map& existing) {
  const uint64_t draw = random_.below(100);
  if (draw < 25 && !existing.empty()) {
    auto at = existing.begin();
    std::advance(at, static_cast<ptrdiff_t>(random_.below(existing.size())));
    return at->first;
  }
  if (draw < 28) return Bytes();
  if (draw < 29) return Bytes(9'999 + random_.below(2), 'k');
  return letters(1, 3, false);
}

Bytes Workload::bound(const Map& existing) { return random_.one_in(12) ? end_of_keys : key(existing); }

KeyRange Workload::range(const Map& existing) {
  Bytes begin = bound(existing);
  if (!random_.one_in(8)) {
    Bytes end = std::min(begin + letters(0, 2, true), end_of_keys);
    return {std::move(begin), std::move(end)};
  }
  Bytes end = bound(existing);
  if (end < begin) std::swap(begin, end);
  return {std::move(begin), std::move(end)};
}

Bytes Workload::value() {
  const uint64_t draw = random_.below(1'000);
  if (draw == 0) return Bytes(value_limit_bytes - random_.below(2), 'V');
  if (draw < 60) return Bytes(random_.below(700), static_cast<char>(random_.next()));
  return letters(0, 9, true);
}

KeySelector Workload::selector(const Map& existing) {
  static constexpr int offsets[] = {1, 1, 1, 1, 0, 0, 2, 3, -1, -2, 7, -7, 50, -50};
  return {bound(existing), random_.one_in(2), offsets[random_.below(std::size(offsets))]};
}

kv::RangeOptions Workload::range_options() {
  static constexpr kv::StreamingMode modes[] = {
      kv::StreamingMode::want_all, kv::StreamingMode::iterator, kv::StreamingMode::exact, kv::StreamingMode::small,
      kv::StreamingMode::medium,   kv::StreamingMode::large,    kv::StreamingMode::serial};
  kv::RangeOptions options;
  options.mode = modes[random_.below(std::size(modes))];
  options.reverse = random_.one_in(3);
  options.iteration = 1 + static_cast<int>(random_.below(12));
  if (random_.one_in(2)) options.limit = static_cast<int>(random_.below(8)) - 1;
  if (random_.one_in(6)) options.target_bytes = static_cast<int>(random_.below(300));
  const bool unlimited = options.limit <= 0 && options.target_bytes == 0;
  // What must be refused should be rare, and here it would not be.
  if (options.mode == kv::StreamingMode::exact && unlimited && !random_.one_in(10)) options.limit = 5;
  return options;
}

Write Workload::stamped_key() {
  // In a corner of their own, mostly: all keys that a stamp could make are unreadable afterwards.
  const Bytes prefix = random_.one_in(6) ? letters(0, 1, false) : "v" + letters(0, 1, true);
  const Bytes operand = prefix + Bytes(10, '?') + letters(0, 1, true);
  return {MutationType::set_versionstamped_key, with_offset(operand, static_cast<uint32_t>(prefix.size())), value()};
}

// What mapped ranges are read from: ("i", n) -> ("p", k), and rows at ("r", k, j) and ("r", n).
Write Workload::mapped_row() {
  using tuple::Text;
  const auto n = static_cast<int64_t>(random_.below(6));
  const auto k = static_cast<int64_t>(random_.below(4));
  if (random_.one_in(3)) return {MutationType::set, tuple::Tuple::of(Text("r"), n).pack(), letters(0, 9, true)};
  if (random_.one_in(2)) return {MutationType::set, tuple::Tuple::of(Text("r"), k, n).pack(), letters(0, 9, true)};
  return {MutationType::set, tuple::Tuple::of(Text("i"), n).pack(), tuple::Tuple::of(Text("p"), k).pack()};
}

Write Workload::stamped_value(const Map& existing) {
  const Bytes before = letters(0, 3, true);
  const Bytes operand = before + Bytes(10, '?') + letters(0, 3, true);
  return {MutationType::set_versionstamped_value, key(existing),
          with_offset(operand, static_cast<uint32_t>(before.size()))};
}

Write Workload::write(const Map& existing) {
  const uint64_t draw = random_.below(100);
  if (draw < 45) return {MutationType::set, key(existing), value()};
  if (draw < 55) return {MutationType::clear, key(existing), {}};
  if (draw < 63) {
    KeyRange cleared = range(existing);
    return {MutationType::clear_range, std::move(cleared.begin), std::move(cleared.end)};
  }
  if (draw < 67) return stamped_key();
  if (draw < 71) return stamped_value(existing);
  if (draw < 78) return mapped_row();
  Write atomic{atomics[random_.below(std::size(atomics))], key(existing), value()};
  if (const auto found = existing.find(atomic.key); found != existing.end() && random_.one_in(3)) {
    atomic.value = found->second;
  }
  return atomic;
}

Write Workload::refused_write(const Map& existing) {
  switch (random_.below(8)) {
    case 0:
      return {MutationType::set, "\xff" + letters(0, 1, true), "x"};
    case 1:
      return {MutationType::set, Bytes(10'001, 'k'), "x"};
    case 2:
      return {MutationType::set, key(existing), Bytes(value_limit_bytes + 1, 'x')};
    case 3:
      return {MutationType::clear_range, "b", "a"};
    case 4:
      return {MutationType::clear, "\xff", {}};
    case 5:
      return {MutationType::set_versionstamped_key, with_offset("short", 0), "x"};
    case 6:
      return {MutationType::set_versionstamped_value, key(existing), with_offset(Bytes(12, '?'), 3)};
    default:
      return {MutationType::add, "\xff\x01", "x"};
  }
}

std::string describe(const Write& write) {
  return fmt::format("{} \"{}\" \"{}\" ({} bytes)", static_cast<int>(write.type), printable(write.key, 40),
                     printable(write.value, 40), write.value.size());
}

std::string describe(const KeySelector& selector) {
  return fmt::format("(\"{}\"{}, {})", printable(selector.key, 40), selector.or_equal ? ", or equal" : "",
                     selector.offset);
}

std::string describe(const kv::RangeOptions& options) {
  return fmt::format("limit {} mode {} iteration {} target {}{}", options.limit, static_cast<int>(options.mode),
                     options.iteration, options.target_bytes, options.reverse ? " reverse" : "");
}

}  // namespace strata::model
