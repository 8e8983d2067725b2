#include "layers/documents/query_collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/crc32.h"
#include "base/hex.h"
#include "layers/documents/document_text.h"
#include "tuple/tuple.h"

namespace strata::documents {

namespace {

using Element = simdjson::dom::element;

// Of an aggregation: making a bucket of it, sorting it.
constexpr size_t units_a_value = 64;

// Less than 0: a comes first.
int compare(const SortValue& a, const SortValue& b, bool descending) {
  const bool a_missing = std::holds_alternative<std::monostate>(a);
  const bool b_missing = std::holds_alternative<std::monostate>(b);
  if (a_missing || b_missing) return static_cast<int>(a_missing) - static_cast<int>(b_missing);
  int order = 0;
  if (a.index() != b.index()) {
    order = a.index() < b.index() ? -1 : 1;
  } else if (const auto* truth = std::get_if<bool>(&a)) {
    order = static_cast<int>(*truth) - static_cast<int>(std::get<bool>(b));
  } else if (const auto* number = std::get_if<Number>(&a)) {
    const auto by = *number <=> std::get<Number>(b);
    order = by < 0 ? -1 : by > 0 ? 1 : 0;
  } else {
    order = std::get<std::string>(a).compare(std::get<std::string>(b));
  }
  return descending ? -order : order;
}

SortValue sort_value_of(Element value) {
  if (value.is_bool()) return value.get_bool().value_unsafe();
  if (value.is_string()) {
    const std::string_view text = value.get_string().value_unsafe();
    size_t size = std::min(text.size(), max_order_string_bytes);
    // Not in the middle of a character.
    while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    return std::string(text.substr(0, size));
  }
  if (const auto number = Number::of(value)) return *number;
  return {};
}

tuple::Element element_of(const SortValue& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth;
  if (const auto* text = std::get_if<std::string>(&value)) return tuple::Text(*text);
  if (const auto* number = std::get_if<Number>(&value)) {
    if (const auto integer = number->as_integer()) return *integer;
    if (number->is_big()) return tuple::Element::unsigned_integer(number->as_big());
    return number->as_double();
  }
  return tuple::Null{};
}

std::optional<SortValue> value_of(const tuple::Element& element) {
  const tuple::Element::Base& base = element;
  if (std::holds_alternative<tuple::Null>(base)) return SortValue();
  if (const auto* truth = std::get_if<bool>(&base)) return SortValue(*truth);
  if (const auto* text = std::get_if<tuple::Text>(&base)) return SortValue(text->value);
  if (const auto* integer = std::get_if<int64_t>(&base)) return SortValue(Number(*integer));
  if (const auto* real = std::get_if<double>(&base)) {
    if (std::isfinite(*real)) return SortValue(Number(*real));
  }
  if (const auto* big = std::get_if<tuple::BigInteger>(&base)) {
    if (!big->negative() && big->magnitude().size() == 8)
      return SortValue(Number::of_unsigned(read_be64(big->magnitude())));
  }
  return std::nullopt;
}

// What tells two orders apart.
int64_t checksum(std::span<const OrderKey> order) {
  Crc32 sum;
  for (const OrderKey& key : order) {
    const std::string path = key.field.to_string();
    sum.update(fmt::format("{} {} {} {}", static_cast<int>(key.by), key.descending, path.size(), path));
  }
  return sum.value();
}

// What a document is counted under; as JSON.
std::optional<Bytes> bucket_of(Element value) {
  if (value.is_bool()) return Bytes(value.get_bool().value_unsafe() ? "true" : "false");
  if (value.is_string()) return simdjson::minify(value);
  const auto number = Number::of(value);
  if (!number) return std::nullopt;
  if (const auto integer = number->as_integer()) return fmt::format("{}", *integer);
  if (number->is_big()) return fmt::format("{}", number->as_big());
  const double real = number->as_double();
  // 2.0 is 2.
  if (real == std::floor(real) && std::abs(real) < 0x1p53) return fmt::format("{}", static_cast<int64_t>(real));
  return fmt::format("{}", real);
}

void sort_unique(std::vector<Bytes>& values) {
  std::ranges::sort(values);
  const auto rest = std::ranges::unique(values);
  values.erase(rest.begin(), rest.end());
}

size_t bytes_of(const QueryHit& hit) {
  size_t bytes = hit.key.size() + hit.source.size();
  for (const SortValue& value : hit.order) {
    if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
  }
  return bytes;
}

}  // namespace

std::optional<AggregationType> find_aggregation_type(std::string_view name) {
  constexpr std::pair<std::string_view, AggregationType> types[] = {
      {"terms", AggregationType::terms}, {"stats", AggregationType::stats},
      {"count", AggregationType::count}, {"min", AggregationType::min},
      {"max", AggregationType::max},     {"sum", AggregationType::sum},
      {"avg", AggregationType::average}, {"cardinality", AggregationType::cardinality},
  };
  for (const auto& [known, type] : types) {
    if (known == name) return type;
  }
  return std::nullopt;
}

Bytes QueryCursor::encode(std::span<const OrderKey> order) const {
  tuple::Tuple parts;
  parts.add(checksum(order));
  for (const SortValue& value : values) parts.add(element_of(value));
  parts.add(tuple::ByteString(key));
  Bytes text;
  append_hex(text, parts.pack());
  return text;
}

Result<QueryCursor> QueryCursor::decode(std::string_view text, std::span<const OrderKey> order) {
  const Error wrong(ErrorCode::invalid_argument, "cursor: is not one of this query's, with the same order_by");
  const auto packed = decode_hex(text);
  if (!packed) return wrong;
  const auto parts = tuple::Tuple::unpack(*packed);
  if (!parts.ok() || parts->size() != order.size() + 2) return wrong;
  const tuple::Element::Base& first = (*parts)[0];
  const auto* sum = std::get_if<int64_t>(&first);
  if (sum == nullptr || *sum != checksum(order)) return wrong;
  QueryCursor cursor;
  for (size_t i = 0; i < order.size(); ++i) {
    auto value = value_of((*parts)[i + 1]);
    if (!value) return wrong;
    cursor.values.push_back(*std::move(value));
  }
  const tuple::Element::Base& last = (*parts)[order.size() + 1];
  const auto* key = std::get_if<tuple::ByteString>(&last);
  if (key == nullptr) return wrong;
  cursor.key = key->value;
  return cursor;
}

QueryCollector::QueryCollector(const Query& query, Pace::Pause pause)
    : query_(query),
      matcher_(query.filter, std::move(pause), query.statistics, query.aggregations.size()),
      groups_(query.aggregations.size()) {
  if (query.after) after_ = QueryHit{.key = query.after->key, .score = 0, .source = {}, .order = query.after->values};
}

bool QueryCollector::before(const QueryHit& a, const QueryHit& b) const {
  for (size_t i = 0; i < query_.order.size(); ++i) {
    const int order = compare(a.order[i], b.order[i], query_.order[i].descending);
    if (order != 0) return order < 0;
  }
  return a.key < b.key;
}

std::vector<SortValue> QueryCollector::sort_values(Element document, double score) const {
  std::vector<SortValue> values;
  for (const OrderKey& key : query_.order) {
    if (key.by == OrderKey::By::score) {
      values.emplace_back(Number(score));
    } else if (key.by == OrderKey::By::key) {
      // keep() knows it.
      values.emplace_back();
    } else {
      SortValue found;
      visit_values(document, key.field.segments(), [&](Element value) {
        found = sort_value_of(value);
        return !std::holds_alternative<std::monostate>(found);
      });
      values.push_back(std::move(found));
    }
  }
  return values;
}

Result<void> QueryCollector::keep(BytesView key, BytesView text, Bytes* own, double score,
                                  std::vector<SortValue> values) {
  QueryHit hit{.key = Bytes(key), .score = score, .source = {}, .order = std::move(values)};
  for (size_t i = 0; i < query_.order.size(); ++i) {
    if (query_.order[i].by == OrderKey::By::key) hit.order[i] = hit.key;
  }
  const auto less = [this](const QueryHit& a, const QueryHit& b) { return before(a, b); };
  if (after_ && !before(*after_, hit)) return {};
  ++behind_;
  const size_t wanted = query_.offset + query_.limit;
  if (query_.limit == 0) return {};
  if (hits_.size() == wanted) {
    if (!before(hit, hits_.front())) return {};
    std::ranges::pop_heap(hits_, less);
    hit_bytes_ -= bytes_of(hits_.back());
    hits_.pop_back();
  }
  if (own != nullptr && query_.fields.is_whole()) {
    hit.source = std::move(*own);
  } else {
    RETURN_IF_ERROR(query_.fields.append(text, hit.source));
  }
  hit_bytes_ += bytes_of(hit);
  if (hit_bytes_ > max_hit_bytes) {
    return Error(ErrorCode::payload_too_large, "the page is larger than 64 MiB: ask for fewer hits or for some fields");
  }
  hits_.push_back(std::move(hit));
  std::ranges::push_heap(hits_, less);
  return {};
}

Result<void> QueryCollector::add(BytesView key, BytesView text) { return examine(key, text, nullptr); }
Result<void> QueryCollector::add(BytesView key, Bytes&& text) { return examine(key, text, &text); }

Result<void> QueryCollector::examine(BytesView key, BytesView text, Bytes* own) {
  ASSIGN_OR_RETURN(const Element document, matcher_.parse(text));
  ASSIGN_OR_RETURN(const auto score, matcher_.score(key, document));
  if (!score) return {};
  ++result_.total;
  result_.max_score = std::max(result_.max_score, *score);
  RETURN_IF_ERROR(aggregate(document));
  return keep(key, text, own, *score, sort_values(document, *score));
}

Result<void> QueryCollector::aggregate(Element document) {
  for (size_t i = 0; i < groups_.size(); ++i) {
    RETURN_IF_ERROR(aggregate(document, query_.aggregations[i], groups_[i]));
    RETURN_IF_ERROR(matcher_.pace().status());
  }
  return {};
}

Result<void> QueryCollector::aggregate(Element document, const Aggregation& asked, Group& group) {
  AggregationResult& result = group.result;
  const bool distinct = asked.type == AggregationType::terms || asked.type == AggregationType::cardinality;
  std::vector<Bytes> seen;
  visit_values(document, asked.field.segments(), [&](Element value) {
    if (!matcher_.pace().spend(units_a_value)) return true;
    if (distinct) {
      if (auto bucket = bucket_of(value)) seen.push_back(*std::move(bucket));
      if (seen.size() < 2 * max_buckets) return false;
      sort_unique(seen);
      // More than there may be: the rest does not matter.
      return seen.size() > max_buckets;
    }
    if (asked.type == AggregationType::count) {
      result.count += value.is_null() ? 0 : 1;
      return false;
    }
    const auto number = Number::of(value);
    if (!number) return false;
    const double real = number->as_double();
    result.min = result.count == 0 ? real : std::min(result.min, real);
    result.max = result.count == 0 ? real : std::max(result.max, real);
    result.sum += real;
    result.sum_of_squares += real * real;
    ++result.count;
    return false;
  });
  // A document counts once in a bucket, however often it has the value.
  sort_unique(seen);
  for (Bytes& bucket : seen) {
    const size_t bytes = bucket.size();
    if (++group.buckets[std::move(bucket)] > 1) continue;
    if (++bucket_count_ > max_buckets) {
      return Error(ErrorCode::invalid_argument,
                   fmt::format("aggregations.{}: more than 100000 different values", printable(asked.name, 60)));
    }
    if ((bucket_bytes_ += bytes) > max_bucket_bytes) {
      return Error(ErrorCode::payload_too_large,
                   fmt::format("aggregations.{}: different values of more than 64 MiB", printable(asked.name, 60)));
    }
  }
  return {};
}

QueryResult QueryCollector::finish() {
  const auto less = [this](const QueryHit& a, const QueryHit& b) { return before(a, b); };
  std::ranges::sort(hits_, less);
  if (query_.limit > 0 && behind_ > hits_.size() && !hits_.empty()) {
    result_.next = QueryCursor{.values = hits_.back().order, .key = hits_.back().key};
  }
  hits_.erase(hits_.begin(), hits_.begin() + static_cast<ptrdiff_t>(std::min(query_.offset, hits_.size())));
  result_.hits = std::move(hits_);
  for (size_t i = 0; i < groups_.size(); ++i) {
    AggregationResult& result = result_.aggregations.emplace_back(std::move(groups_[i].result));
    result.distinct = groups_[i].buckets.size();
    if (query_.aggregations[i].type != AggregationType::terms) continue;
    for (const auto& [key, documents] : groups_[i].buckets) result.buckets.push_back({key, documents});
    // Of equally many the keys' order stays.
    std::ranges::stable_sort(result.buckets, std::greater<>(), &AggregationResult::Bucket::documents);
    for (size_t j = query_.aggregations[i].size; j < result.buckets.size(); ++j) {
      result.others += result.buckets[j].documents;
    }
    if (result.buckets.size() > query_.aggregations[i].size) result.buckets.resize(query_.aggregations[i].size);
  }
  return std::move(result_);
}

}  // namespace strata::documents
