#include "hnsw/store.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "hnsw/distance.h"

namespace strata::hnsw {

namespace {

constexpr size_t alignment = 64;
// Below it a square has lost digits.
constexpr float least_square = 1e-30f;

// Codes of different vectors must share one scale for L1; theirs have one each.
bool has_codes(const Options& options) {
  return options.quantization == Quantization::int8 && options.metric != Metric::manhattan;
}

size_t round_up(size_t value, size_t to) { return (value + to - 1) / to * to; }

float square_of(const Encoded& encoded) { return encoded.scale * encoded.scale * static_cast<float>(encoded.squares); }

void raise(std::atomic<float>& largest, float to) {
  float seen = largest.load(std::memory_order_relaxed);
  while (seen < to && !largest.compare_exchange_weak(seen, to, std::memory_order_relaxed)) {
  }
}

}  // namespace

Store::Store(const Options& options)
    : metric_(options.metric),
      dimension_(options.dimension),
      coded_(has_codes(options)),
      code_bytes_(round_up(options.dimension, code_alignment)),
      center_(options.dimension),
      codes_(code_bytes_ + code_tail_bytes),
      rows_(options.dimension * sizeof(float), options.directory) {}

Result<void> Store::grow(uint64_t end) {
  if (coded_) RETURN_IF_ERROR(codes_.grow(end));
  return rows_.grow(end);
}

Result<void> Store::adopt_rows(int file, uint64_t offset, uint64_t count) {
  if (coded_) RETURN_IF_ERROR(codes_.grow(count));
  return rows_.adopt(file, offset, count);
}

int8_t* Store::room_for_codes(Query& query) const {
  query.codes_.resize(round_up(code_bytes_, alignment) + alignment);
  const auto at = reinterpret_cast<uintptr_t>(query.codes_.data());
  int8_t* codes = query.codes_.data() + (round_up(at, alignment) - at);
  std::memset(codes + dimension_, 0, code_bytes_ - dimension_);
  return codes;
}

void Store::finish(float scale, int32_t sum, float square, Query& query) const {
  const bool is_dot = metric_ == Metric::dot_product;
  query.scale_ = scale;
  query.square_ = square;
  query.code_.bytes = code_bytes_;
  query.code_.offset = sum * 128;
  query.code_.scale = is_dot ? scale : 2 * scale;
  query.code_.constant = is_dot ? 0 : square;
  query.code_.term_factor = is_dot ? -1.0f : 1.0f;
}

Encoded Store::encode_row(const float* values, int8_t* codes) const {
  if (metric_ != Metric::cosine) return encode(values, center_.data(), 1, dimension_, codes);
  const float square = -score(Metric::dot_product, values, values, dimension_);
  if (square > least_square && square < 1e37f) {
    return encode(values, center_.data(), 1 / std::sqrt(square), dimension_, codes);
  }
  // The square, or the inverse of the length, is not a float, or one of few digits.
  double exact = 0;
  for (size_t i = 0; i < dimension_; ++i) exact += double{values[i]} * values[i];
  const double inverse = exact > 0 ? 1 / std::sqrt(exact) : 0;
  std::vector<float> direction(dimension_);
  for (size_t i = 0; i < dimension_; ++i) direction[i] = static_cast<float>(values[i] * inverse);
  return encode(direction.data(), center_.data(), 1, dimension_, codes);
}

void Store::prepare(const float* values, Query& query) const {
  query.row_ = values;
  if (!coded_) return;
  int8_t* codes = room_for_codes(query);
  const Encoded encoded = encode_row(values, codes);
  finish(encoded.scale, encoded.sum, square_of(encoded), query);
  query.error_ = encoded.error;
  query.code_.codes = codes;
}

void Store::prepare(uint32_t slot, Query& query) const {
  if (!coded_) {
    query.row_ = row(slot);
    return;
  }
  query.row_ = nullptr;
  query.error_ = max_error_.load(std::memory_order_relaxed);
  int8_t* codes = room_for_codes(query);
  const std::byte* stored = codes_.at(slot);
  const int32_t sum = load_code(stored, code_bytes_, codes);
  float tail[2];
  std::memcpy(tail, stored + code_bytes_, sizeof tail);
  finish(tail[0], sum, tail[1], query);
  query.code_.codes = codes;
}

void Store::write(uint32_t slot, const float* values) {
  std::memcpy(rows_.at(slot), values, rows_.stride());
  if (coded_) write_code(slot);
}

void Store::write_code(uint32_t slot) {
  const float* values = row(slot);
  auto* stored = reinterpret_cast<uint8_t*>(codes_.at(slot));
  std::memset(stored + dimension_, 0, code_bytes_ - dimension_);
  const Encoded encoded = encode_row(values, reinterpret_cast<int8_t*>(stored));
  raise(max_error_, encoded.error);
  for (size_t i = 0; i < code_bytes_; ++i) stored[i] ^= 0x80;
  float term = 0;
  if (metric_ != Metric::dot_product) term = square_of(encoded);
  // The distance of a vector without direction is 1, which is 2 between points at length 1.
  if (metric_ == Metric::cosine && encoded.squares == 0) term = 1;
  const float tail[2] = {encoded.scale, term};
  std::memcpy(stored + code_bytes_, tail, sizeof tail);
  raise(max_scale_, encoded.scale);
  raise(max_square_, square_of(encoded));
}

// Of sums of products, against the squares of the lengths: sums run in 16 lanes at least.
float Store::relative_rounding() const { return 4e-6f + 4e-9f * static_cast<float>(dimension_); }

std::optional<Store::Slack> Store::slack(const Query& query) const {
  constexpr float greatest = 1e30f;
  const float of_code = max_error_.load(std::memory_order_relaxed);
  const float of_query = query.error_;
  const float scale = max_scale_.load(std::memory_order_relaxed);
  const float square = max_square_.load(std::memory_order_relaxed);
  if (!coded_ || !(square < greatest) || !(query.square_ < greatest)) return std::nullopt;
  const float root = std::sqrt(static_cast<float>(dimension_));
  // What the last digit of a float below 1e-38 is worth: of a product of scales, 127 * 127 times for each dimension.
  constexpr float of_product = 4e-41f;
  Slack slack;
  slack.rounding = relative_rounding() * (square + query.square_) + of_product * static_cast<float>(dimension_);
  slack.error = of_code + of_query;
  if (metric_ == Metric::dot_product) {
    // Squares of small lengths are not floats: then what the scale allows.
    const auto length = [root](float of_square, float of_scale) {
      return of_square > least_square ? std::sqrt(of_square) : 128 * of_scale * root;
    };
    slack.error = length(query.square_, query.scale_) * of_code + length(square, scale) * of_query + of_code * of_query;
  }
  return slack;
}

std::optional<float> Store::cut_of_distance(const Query& query, float distance) const {
  const std::optional<Slack> slack_of = slack(query);
  if (!slack_of) return std::nullopt;
  if (metric_ == Metric::dot_product) return distance + 2 * slack_of->error + slack_of->rounding;
  const float length = std::sqrt(std::max(0.0f, distance + slack_of->rounding)) + 2 * slack_of->error;
  return length * length + slack_of->rounding;
}

std::optional<float> Store::cut_of_score(const Query& query, float score) const {
  const std::optional<Slack> slack_of = slack(query);
  if (!slack_of) return std::nullopt;
  if (metric_ == Metric::dot_product) return score + slack_of->error + slack_of->rounding;
  // Of points at length 1 the squared distance is twice the score.
  const float length = metric_ == Metric::cosine ? std::sqrt(std::max(0.0f, 2 * (score + relative_rounding()))) : score;
  const float most = length + slack_of->error;
  return most < 0 ? -1.0f : most * most + slack_of->rounding;
}

void Store::distances(const Query& query, const uint32_t* slots, size_t count, float* out) const {
  if (coded_) {
    code_distances(query.code_, codes_.table(), slots, count, out);
  } else {
    row_scores(metric_, query.row_, dimension_, rows_.table(), slots, count, out);
  }
}

void Store::scores(const float* values, const uint32_t* slots, size_t count, float* out) const {
  row_scores(metric_, values, dimension_, rows_.table(), slots, count, out);
}

}  // namespace strata::hnsw
