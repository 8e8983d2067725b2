// Any bytes to Tuple::unpack: it reads no byte too many, what it accepts packs to the same bytes, and the order of two
// tuples is that of their bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/assert.h"
#include "tuple/subspace.h"
#include "tuple/tuple.h"

using namespace strata;
using namespace strata::tuple;

namespace {

// The one value that has a second spelling, and so may be read from bytes that pack() does not write.
bool holds_largest_unsigned(const Tuple& tuple) {
  return std::any_of(tuple.begin(), tuple.end(), [](const Element& element) {
    if (const auto* nested = std::get_if<Tuple>(&element)) return holds_largest_unsigned(*nested);
    const auto* integer = std::get_if<BigInteger>(&element);
    return integer && integer->magnitude() == Bytes(8, '\xff');
  });
}

void check(BytesView packed) {
  const auto tuple = Tuple::unpack(packed);
  if (!tuple.ok()) {
    STRATA_ASSERT(tuple.error().code() == ErrorCode::invalid_argument && !tuple.error().message().empty());
    return;
  }
  STRATA_ASSERT(!to_string(*tuple).empty());
  STRATA_ASSERT(!tuple->has_incomplete_versionstamp());
  const Bytes again = tuple->pack();
  STRATA_ASSERT(again == packed || holds_largest_unsigned(*tuple));
  STRATA_ASSERT(Tuple::unpack(again).value() == *tuple);
  // A longer tuple sorts behind its prefix and in the prefix's range.
  Tuple longer = *tuple;
  longer.add(Null{});
  const Range range = tuple->range();
  const Bytes behind = longer.pack();
  STRATA_ASSERT(again < behind && range.begin <= behind && behind < range.end && !(range.begin <= again));
  STRATA_ASSERT(Subspace(*tuple).unpack(behind).value() == Tuple::of(Null{}));
  // Nested it survives too, unless that is one level too deep.
  Bytes inside(1, '\x05');
  for (const Element& element : *tuple) {
    inside += Tuple().add(element).pack();
    if (std::holds_alternative<Null>(element)) inside += '\xff';
  }
  inside += '\0';
  if (const auto nested = Tuple::unpack(inside); nested.ok()) {
    STRATA_ASSERT(nested->size() == 1 && std::get<Tuple>((*nested)[0]) == *tuple);
    STRATA_ASSERT(nested->pack() == inside);
  } else {
    STRATA_ASSERT(packed.size() >= max_depth);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly this size: the sanitizer sees a read behind its end.
  const std::unique_ptr<char[]> exact(new char[size]);
  std::copy_n(data, size, exact.get());
  const BytesView input(exact.get(), size);
  check(input);
  const size_t half = size / 2;
  const auto a = Tuple::unpack(input.substr(0, half));
  const auto b = Tuple::unpack(input.substr(half));
  if (a.ok() && b.ok()) {
    STRATA_ASSERT((*a == *b) == (a->pack() == b->pack()));
    Tuple both = *a;
    both.extend(*b);
    STRATA_ASSERT(both.pack() == a->pack() + b->pack());
  }
  return 0;
}
