#include "hnsw/store.h"

#include <cmath>
#include <cstring>

namespace strata::hnsw {

namespace {

constexpr size_t alignment = 64;

// Codes of different vectors must share one scale for L1; theirs have one each.
bool has_codes(const Options& options) {
  return options.quantization == Quantization::int8 && options.metric != Metric::manhattan;
}

size_t round_up(size_t value, size_t to) { return (value + to - 1) / to * to; }

float inverse_length(const float* values, size_t dimension) {
  double square = 0;
  for (size_t i = 0; i < dimension; ++i) square += double{values[i]} * values[i];
  return square > 0 ? static_cast<float>(1 / std::sqrt(square)) : 0.0f;
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

void Store::finish(const Encoded& encoded, Query& query) const {
  const float square = encoded.scale * encoded.scale * static_cast<float>(encoded.squares);
  const bool is_dot = metric_ == Metric::dot_product;
  query.code_.bytes = code_bytes_;
  query.code_.offset = encoded.sum * 128;
  query.code_.scale = is_dot ? encoded.scale : 2 * encoded.scale;
  query.code_.constant = is_dot ? 0 : square;
  query.code_.term_factor = is_dot ? -1.0f : 1.0f;
}

void Store::prepare(const float* values, Query& query) const {
  query.row_ = values;
  if (!coded_) return;
  int8_t* codes = room_for_codes(query);
  const float factor = metric_ == Metric::cosine ? inverse_length(values, dimension_) : 1.0f;
  finish(encode(values, center_.data(), factor, dimension_, codes), query);
  query.code_.codes = codes;
}

void Store::prepare(uint32_t slot, Query& query) const {
  if (!coded_) {
    query.row_ = row(slot);
    return;
  }
  query.row_ = nullptr;
  int8_t* codes = room_for_codes(query);
  const auto* stored = reinterpret_cast<const uint8_t*>(codes_.at(slot));
  Encoded encoded;
  for (size_t i = 0; i < code_bytes_; ++i) {
    const int value = int{stored[i]} - 128;
    codes[i] = static_cast<int8_t>(value);
    encoded.sum += value;
    encoded.squares += value * value;
  }
  std::memcpy(&encoded.scale, stored + code_bytes_, sizeof encoded.scale);
  finish(encoded, query);
  query.code_.codes = codes;
}

void Store::write(uint32_t slot, const float* values) {
  std::memcpy(rows_.at(slot), values, rows_.stride());
  if (!coded_) return;
  auto* stored = reinterpret_cast<uint8_t*>(codes_.at(slot));
  const float factor = metric_ == Metric::cosine ? inverse_length(values, dimension_) : 1.0f;
  std::memset(stored + dimension_, 0, code_bytes_ - dimension_);
  const Encoded encoded = encode(values, center_.data(), factor, dimension_, reinterpret_cast<int8_t*>(stored));
  for (size_t i = 0; i < code_bytes_; ++i) stored[i] ^= 0x80;
  float term = 0;
  if (metric_ != Metric::dot_product) term = encoded.scale * encoded.scale * static_cast<float>(encoded.squares);
  // The distance of a vector without direction is 1, which is 2 between points at length 1.
  if (metric_ == Metric::cosine && encoded.squares == 0) term = 1;
  const float tail[2] = {encoded.scale, term};
  std::memcpy(stored + code_bytes_, tail, sizeof tail);
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
