// QueryCollector: of the documents that are shown to it, the best ones that match, and sums over all that match.
//
// Purpose:       order, offset, limit, cursor, counts and aggregations of a query, wherever its documents come from.
// Ownership:     borrows the query, which outlives it; keeps the hits' projected text.
// Thread safety: none.
// Invariants:    never more than offset + limit hits are kept, and no more than max_hit_bytes of them; buckets are at
//                most max_buckets and max_bucket_bytes. The order is total: documents that are equal in it follow in
//                the order of their keys, so a cursor neither skips nor repeats. A value that is missing comes last, in
//                either direction.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "layers/documents/number.h"
#include "layers/documents/paced_matcher.h"
#include "layers/documents/projection.h"

namespace strata::documents {

inline constexpr size_t max_query_hits = 10'000;
inline constexpr size_t max_order_keys = 16;
inline constexpr size_t max_aggregations = 64;
inline constexpr size_t max_buckets = 100'000;
inline constexpr size_t max_hit_bytes = 64u << 20;
inline constexpr size_t max_bucket_bytes = 64u << 20;
// Strings are ordered by so much of them: cursors hold what they order by, and have to fit into a request.
inline constexpr size_t max_order_string_bytes = 1'024;

struct OrderKey {
  enum class By : uint8_t { score, key, field } by = By::score;
  DocumentPath field = {};
  bool descending = false;
};

enum class AggregationType : uint8_t { terms, stats, count, min, max, sum, average, cardinality };
std::optional<AggregationType> find_aggregation_type(std::string_view name);

struct Aggregation {
  std::string name;
  AggregationType type = AggregationType::terms;
  DocumentPath field;
  // Of terms.
  size_t size = 10;
};

using SortValue = std::variant<std::monostate, bool, Number, std::string>;

// Where a page ended, in which order.
struct QueryCursor {
  std::vector<SortValue> values;
  Bytes key;

  Bytes encode(std::span<const OrderKey> order) const;
  // Refused if it is of another order.
  static Result<QueryCursor> decode(std::string_view text, std::span<const OrderKey> order);
};

struct Query {
  Filter filter;
  std::vector<const TextStatistics*> statistics = {};
  Projection fields = {};
  // What a page is made of; empty: score, then key.
  std::vector<OrderKey> order = {};
  std::optional<QueryCursor> after = std::nullopt;
  size_t offset = 0;
  size_t limit = 10;
  std::vector<Aggregation> aggregations = {};
};

struct QueryHit {
  Bytes key;
  double score = 0;
  Bytes source;
  std::vector<SortValue> order;
};

struct AggregationResult {
  struct Bucket {
    Bytes key;  // JSON
    uint64_t documents = 0;
  };
  std::vector<Bucket> buckets;
  // Documents in buckets that are not listed.
  uint64_t others = 0;
  uint64_t distinct = 0;
  uint64_t count = 0;
  double sum = 0;
  double sum_of_squares = 0;
  double min = 0;
  double max = 0;
};

struct QueryResult {
  std::vector<QueryHit> hits;
  uint64_t total = 0;
  double max_score = 0;
  std::vector<AggregationResult> aggregations;
  // Absent on the last page.
  std::optional<QueryCursor> next;
};

class QueryCollector {
 public:
  explicit QueryCollector(const Query& query, Pace::Pause pause = nullptr);

  // corruption; payload_too_large: the page or the buckets are too large; invalid_argument: too many buckets; what the
  // pause says.
  Result<void> add(BytesView key, BytesView text);
  // May take the text.
  Result<void> add(BytesView key, Bytes&& text);
  QueryResult finish();

 private:
  struct Group {
    std::map<Bytes, uint64_t> buckets;
    AggregationResult result;
  };

  bool before(const QueryHit& a, const QueryHit& b) const;
  std::vector<SortValue> sort_values(simdjson::dom::element document, double score) const;
  // `own`: holds the text, and may be taken; null: it is the caller's.
  Result<void> examine(BytesView key, BytesView text, Bytes* own);
  Result<void> keep(BytesView key, BytesView text, Bytes* own, double score, std::vector<SortValue> values);
  Result<void> aggregate(simdjson::dom::element document);
  Result<void> aggregate(simdjson::dom::element document, const Aggregation& asked, Group& group);

  const Query& query_;
  PacedMatcher matcher_;
  // A heap: the worst one in front.
  std::vector<QueryHit> hits_;
  std::optional<QueryHit> after_;
  size_t hit_bytes_ = 0;
  size_t bucket_count_ = 0;
  size_t bucket_bytes_ = 0;
  uint64_t behind_ = 0;
  QueryResult result_;
  std::vector<Group> groups_;
};

}  // namespace strata::documents
