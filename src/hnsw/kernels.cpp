#include "hnsw/kernels.h"

#include <cmath>
#include <limits>

#include "hnsw/code_loop.h"
#include "hnsw/distance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hnsw/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace strata::hnsw {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The sum of products of unsigned and signed bytes.
HWY_INLINE int32_t sum_of_products(const uint8_t* HWY_RESTRICT a, const int8_t* HWY_RESTRICT b, size_t bytes) {
  const hn::ScalableTag<int32_t> d32;
  const hn::Repartition<int16_t, decltype(d32)> d16;
  const hn::Rebind<uint8_t, decltype(d16)> du8;
  const hn::Rebind<int8_t, decltype(d16)> di8;
  const size_t lanes = hn::Lanes(d16);
  auto low = hn::Zero(d32);
  auto high = hn::Zero(d32);
  size_t i = 0;
  for (; i + lanes <= bytes; i += lanes) {
    const auto x = hn::PromoteTo(d16, hn::LoadU(du8, a + i));
    const auto y = hn::PromoteTo(d16, hn::LoadU(di8, b + i));
    low = hn::ReorderWidenMulAccumulate(d32, x, y, low, high);
  }
  int32_t sum = hn::GetLane(hn::SumOfLanes(d32, hn::Add(low, high)));
  for (; i < bytes; ++i) sum += int32_t{a[i]} * b[i];
  return sum;
}

void code_distances_of(const CodeQuery& query, const SlotTable& table, const uint32_t* slots, size_t count,
                       float* out) {
  const size_t bytes = query.bytes + code_tail_bytes;
  for (size_t i = 0; i < count && i < codes_ahead; ++i) prefetch_code(table.at(slots[i]), bytes);
  for (size_t i = 0; i < count; ++i) {
    if (i + codes_ahead < count) prefetch_code(table.at(slots[i + codes_ahead]), bytes);
    const std::byte* code = table.at(slots[i]);
    const int32_t sum = sum_of_products(reinterpret_cast<const uint8_t*>(code), query.codes, query.bytes);
    out[i] = code_distance(query, code, sum);
  }
}

// One pass over two rows: step(a, b) for whole vectors, one(a, b) for what is left.
template <class Step, class One>
HWY_INLINE void for_both(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, size_t n, Step step, One one) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    step(0, hn::LoadU(d, a + i), hn::LoadU(d, b + i));
    step(1, hn::LoadU(d, a + i + lanes), hn::LoadU(d, b + i + lanes));
  }
  for (; i + lanes <= n; i += lanes) step(0, hn::LoadU(d, a + i), hn::LoadU(d, b + i));
  for (; i < n; ++i) one(a[i], b[i]);
}

float dot_of(const float* a, const float* b, size_t n) {
  const hn::ScalableTag<float> d;
  auto s0 = hn::Zero(d);
  auto s1 = hn::Zero(d);
  float rest = 0;
  for_both(
      a, b, n,
      [&](int which, auto x, auto y) HWY_ATTR { (which == 0 ? s0 : s1) = hn::MulAdd(x, y, which == 0 ? s0 : s1); },
      [&](float x, float y) HWY_ATTR { rest += x * y; });
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1))) + rest;
}

float squared_l2_of(const float* a, const float* b, size_t n) {
  const hn::ScalableTag<float> d;
  auto s0 = hn::Zero(d);
  auto s1 = hn::Zero(d);
  float rest = 0;
  for_both(
      a, b, n,
      [&](int which, auto x, auto y) HWY_ATTR {
        const auto difference = hn::Sub(x, y);
        auto& sum = which == 0 ? s0 : s1;
        sum = hn::MulAdd(difference, difference, sum);
      },
      [&](float x, float y) HWY_ATTR { rest += (x - y) * (x - y); });
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1))) + rest;
}

float l1_of(const float* a, const float* b, size_t n) {
  const hn::ScalableTag<float> d;
  auto s0 = hn::Zero(d);
  auto s1 = hn::Zero(d);
  float rest = 0;
  for_both(
      a, b, n,
      [&](int which, auto x, auto y) HWY_ATTR {
        auto& sum = which == 0 ? s0 : s1;
        sum = hn::Add(sum, hn::AbsDiff(x, y));
      },
      [&](float x, float y) HWY_ATTR { rest += std::fabs(x - y); });
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1))) + rest;
}

// (a . b, b . b)
void dot_and_square_of(const float* a, const float* b, size_t n, float* dot, float* square) {
  const hn::ScalableTag<float> d;
  auto s0 = hn::Zero(d);
  auto s1 = hn::Zero(d);
  auto q0 = hn::Zero(d);
  auto q1 = hn::Zero(d);
  float rest = 0;
  float rest_square = 0;
  for_both(
      a, b, n,
      [&](int which, auto x, auto y) HWY_ATTR {
        auto& sum = which == 0 ? s0 : s1;
        auto& squares = which == 0 ? q0 : q1;
        sum = hn::MulAdd(x, y, sum);
        squares = hn::MulAdd(y, y, squares);
      },
      [&](float x, float y) HWY_ATTR {
        rest += x * y;
        rest_square += y * y;
      });
  *dot = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1))) + rest;
  *square = hn::GetLane(hn::SumOfLanes(d, hn::Add(q0, q1))) + rest_square;
}

// The compiler vectorizes these loops for each target.
Encoded encode_of(const float* values, const float* center, float factor, size_t n, int8_t* codes) {
  float largest = 0;
  for (size_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(values[i] * factor - center[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  // A difference may be infinite, which may not meet a zero: that would be no number.
  constexpr float most = std::numeric_limits<float>::max();
  largest = largest < most ? largest : most;
  Encoded encoded;
  encoded.scale = largest / 127.0f;
  // The inverse of a tiny one is not a float: it is raised by a power of two first.
  const float raise = largest < 0x1p-100f ? 0x1p60f : 1.0f;
  const float inverse = largest > 0 ? 127.0f / (largest * raise) : 0.0f;
  int32_t sum = 0;
  int32_t squares = 0;
  for (size_t i = 0; i < n; ++i) {
    const float scaled = (values[i] * factor - center[i]) * raise * inverse;
    const float rounded = scaled + (scaled < 0 ? -0.5f : 0.5f);
    // In this order what is no number is a bound too.
    const int32_t whole = static_cast<int32_t>(rounded > -127.0f ? (rounded < 127.0f ? rounded : 127.0f) : -127.0f);
    codes[i] = static_cast<int8_t>(whole);
    sum += whole;
    squares += whole * whole;
  }
  encoded.sum = sum;
  encoded.squares = squares;
  return encoded;
}

// The length of what codes leave out of a vector, or a little more.
float error_of(const float* values, const float* center, float factor, float scale, const int8_t* codes, size_t n) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di32;
  const hn::Rebind<int8_t, decltype(d)> di8;
  const size_t lanes = hn::Lanes(d);
  const auto factors = hn::Set(d, factor);
  const auto scales = hn::Set(d, scale);
  auto squares = hn::Zero(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto value = hn::Sub(hn::Mul(hn::LoadU(d, values + i), factors), hn::LoadU(d, center + i));
    const auto code = hn::ConvertTo(d, hn::PromoteTo(di32, hn::LoadU(di8, codes + i)));
    const auto error = hn::NegMulAdd(code, scales, value);
    squares = hn::MulAdd(error, error, squares);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, squares));
  for (; i < n; ++i) {
    const float error = values[i] * factor - center[i] - scale * static_cast<float>(codes[i]);
    sum += error * error;
  }
  const float root = std::sqrt(static_cast<float>(n));
  // Squares of tiny errors are lost: half a step in each value then, and what the last digit of a float below 1e-38 is
  // worth, of a scale 127 times.
  if (!(scale > 1e-12f)) return (0.5001f * scale + 1e-43f) * root;
  // With what sums and differences may have lost.
  const float most = 1.001f * std::sqrt(sum) + 1e-4f * scale * root;
  return most >= 0 ? most : std::numeric_limits<float>::infinity();
}

int32_t load_code_of(const std::byte* stored, size_t n, int8_t* codes) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(stored);
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) {
    codes[i] = static_cast<int8_t>(bytes[i] ^ 0x80);
    sum += codes[i];
  }
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace strata::hnsw
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace strata::hnsw {

HWY_EXPORT(code_distances_of);
HWY_EXPORT(dot_of);
HWY_EXPORT(squared_l2_of);
HWY_EXPORT(l1_of);
HWY_EXPORT(dot_and_square_of);
HWY_EXPORT(encode_of);
HWY_EXPORT(error_of);
HWY_EXPORT(load_code_of);

namespace {

// Sums that left the range of float32, or sank below it, once more in float64.
float score_in_double(Metric metric, const float* a, const float* b, size_t n) {
  double dot = 0;
  double aa = 0;
  double bb = 0;
  double l2 = 0;
  double l1 = 0;
  for (size_t i = 0; i < n; ++i) {
    const double x = a[i];
    const double y = b[i];
    dot += x * y;
    aa += x * x;
    bb += y * y;
    l2 += (x - y) * (x - y);
    l1 += std::fabs(x - y);
  }
  switch (metric) {
    case Metric::cosine: {
      if (aa == 0 || bb == 0) return 1;
      const double cosine = dot / (std::sqrt(aa) * std::sqrt(bb));
      return static_cast<float>(1 - std::fmin(1.0, std::fmax(-1.0, cosine)));
    }
    case Metric::euclidean:
      return static_cast<float>(std::sqrt(l2));
    case Metric::dot_product:
      return static_cast<float>(-dot);
    case Metric::manhattan:
      return static_cast<float>(l1);
  }
  return 0;
}

// Squares outside of these have lost digits or are infinite.
constexpr float least_square = 1e-30f;
constexpr float greatest_square = 1e37f;

bool is_safe(float square) { return square >= least_square && square <= greatest_square; }

float cosine_score(const float* a, float a_square, const float* b, size_t n) {
  float dot;
  float square;
  HWY_DYNAMIC_DISPATCH(dot_and_square_of)(a, b, n, &dot, &square);
  if (!is_safe(a_square) || !is_safe(square)) return score_in_double(Metric::cosine, a, b, n);
  const float cosine = dot / (std::sqrt(a_square) * std::sqrt(square));
  return 1 - (cosine > 1 ? 1 : cosine < -1 ? -1 : cosine);
}

float plain_score(Metric metric, const float* a, const float* b, size_t n) {
  if (metric == Metric::euclidean) {
    const float square = HWY_DYNAMIC_DISPATCH(squared_l2_of)(a, b, n);
    return is_safe(square) ? std::sqrt(square) : score_in_double(metric, a, b, n);
  }
  const float sum =
      metric == Metric::dot_product ? -HWY_DYNAMIC_DISPATCH(dot_of)(a, b, n) : HWY_DYNAMIC_DISPATCH(l1_of)(a, b, n);
  return std::isfinite(sum) ? sum : score_in_double(metric, a, b, n);
}

}  // namespace

float score(Metric metric, const float* a, const float* b, size_t dimension) {
  if (metric != Metric::cosine) return plain_score(metric, a, b, dimension);
  return cosine_score(a, HWY_DYNAMIC_DISPATCH(dot_of)(a, a, dimension), b, dimension);
}

void scores(Metric metric, const float* query, const float* rows, size_t dimension, size_t count, float* out) {
  const float square = metric == Metric::cosine ? HWY_DYNAMIC_DISPATCH(dot_of)(query, query, dimension) : 0;
  for (size_t i = 0; i < count; ++i) {
    const float* row = rows + i * dimension;
    out[i] = metric == Metric::cosine ? cosine_score(query, square, row, dimension)
                                      : plain_score(metric, query, row, dimension);
  }
}

void code_distances(const CodeQuery& query, const SlotTable& table, const uint32_t* slots, size_t count, float* out) {
  static const bool has_vnni = vnni_is_there();
  if (has_vnni) return code_distances_vnni(query, table, slots, count, out);
  HWY_DYNAMIC_DISPATCH(code_distances_of)(query, table, slots, count, out);
}

void row_scores(Metric metric, const float* query, size_t dimension, const SlotTable& table, const uint32_t* slots,
                size_t count, float* out) {
  constexpr size_t rows_ahead = 2;
  for (size_t i = 0; i < count && i < rows_ahead; ++i) prefetch_code(table.at(slots[i]), dimension * sizeof(float));
  const float square = metric == Metric::cosine ? HWY_DYNAMIC_DISPATCH(dot_of)(query, query, dimension) : 0;
  for (size_t i = 0; i < count; ++i) {
    if (i + rows_ahead < count) prefetch_code(table.at(slots[i + rows_ahead]), dimension * sizeof(float));
    const float* row = reinterpret_cast<const float*>(table.at(slots[i]));
    out[i] = metric == Metric::cosine ? cosine_score(query, square, row, dimension)
                                      : plain_score(metric, query, row, dimension);
  }
}

Encoded encode(const float* values, const float* center, float factor, size_t dimension, int8_t* codes) {
  Encoded encoded = HWY_DYNAMIC_DISPATCH(encode_of)(values, center, factor, dimension, codes);
  encoded.error = HWY_DYNAMIC_DISPATCH(error_of)(values, center, factor, encoded.scale, codes, dimension);
  return encoded;
}

int32_t load_code(const std::byte* stored, size_t bytes, int8_t* codes) {
  return HWY_DYNAMIC_DISPATCH(load_code_of)(stored, bytes, codes);
}

}  // namespace strata::hnsw
#endif  // HWY_ONCE
