// What of Vectors searches.
#include <fmt/format.h>

#include <algorithm>

#include "service/run.h"
#include "service/vector_checks.h"
#include "service/vector_collections.h"

namespace strata::service {

struct CheckedVectorQuery {
  const VectorSearchRequest* request = nullptr;
  std::shared_ptr<VectorCollection> collection;
  FilterStrategy strategy = FilterStrategy::automatic;
  std::optional<VectorFilter> filter;
  uint32_t ef = 0;
};

namespace {

using vectors::VectorEntity;

// Of keys that are read at once.
constexpr size_t window = 256;

Result<FilterStrategy> parse_strategy(std::string_view name) {
  if (name.empty() || name == "auto") return FilterStrategy::automatic;
  if (name == "pre_filter") return FilterStrategy::pre_filter;
  if (name == "post_filter") return FilterStrategy::post_filter;
  return Error(ErrorCode::invalid_argument,
               fmt::format("unknown strategy \"{}\": auto, pre_filter or post_filter", printable(name)));
}

// Metadata of these ids: visit(place, encoded or nullopt).
template <class Visit>
Result<void> visit_metadata(const kv::Database& database, const VectorCollection& collection,
                            std::span<const uint64_t> ids, const VectorPace& pace, Visit visit) {
  for (size_t begin = 0; begin < ids.size(); begin += window) {
    if (begin > 0) RETURN_IF_ERROR(pace.check());
    const auto part = ids.subspan(begin, std::min(window, ids.size() - begin));
    ASSIGN_OR_RETURN(
        const auto found,
        database.read([&](const kv::ReadTransaction& transaction) -> Result<std::vector<std::optional<Bytes>>> {
          const kv::ReadTransaction& snapshot = transaction;
          std::vector<Future<std::optional<Bytes>>> reads;
          reads.reserve(part.size());
          for (const uint64_t id : part) {
            reads.push_back(snapshot.get(vectors::entity_key(collection.row().prefix, VectorEntity::metadata, id)));
          }
          std::vector<std::optional<Bytes>> values;
          values.reserve(part.size());
          for (auto& read : reads) {
            ASSIGN_OR_RETURN(values.emplace_back(), read.get());
          }
          return values;
        }));
    for (size_t at = 0; at < part.size(); ++at) RETURN_IF_ERROR(visit(begin + at, found[at]));
  }
  return {};
}

Result<CheckedVectorQuery> check(VectorCollections& collections, const Context& context,
                                 const VectorSearchRequest& request) {
  CheckedVectorQuery query{.request = &request};
  ASSIGN_OR_RETURN(query.collection, collections.find(context, request.collection));
  RETURN_IF_ERROR(check_values(request.query, query.collection->dimension()));
  ASSIGN_OR_RETURN(query.strategy, parse_strategy(request.strategy));
  if (request.k > max_search_results) {
    return Error(ErrorCode::invalid_argument, fmt::format("k is {} at most", max_search_results));
  }
  query.ef = request.ef_search.value_or(0);
  if (query.ef > max_ef_search) {
    return Error(ErrorCode::invalid_argument, fmt::format("ef_search is {} at most", max_ef_search));
  }
  if (!std::isfinite(request.graph_threshold) || !std::isfinite(request.oversampling)) {
    return Error(ErrorCode::invalid_argument, "graph_threshold and oversampling are finite numbers");
  }
  // More candidates are compared exactly by a wider search.
  if (request.oversampling > 1) {
    const double wider = std::ceil(static_cast<double>(request.oversampling) * std::max(request.k, hnsw::default_ef));
    query.ef = std::max(query.ef, static_cast<uint32_t>(std::min<double>(wider, max_ef_search)));
  }
  if (request.filter) {
    query.filter = request.filter;
    RETURN_IF_ERROR(vectors::check_filter(*query.filter));
  }
  return query;
}

Result<void> add_metadata(const kv::Database& database, const VectorCollection& collection, VectorPace& pace,
                          std::vector<ScoredVector>& results) {
  std::vector<uint64_t> ids;
  ids.reserve(results.size());
  for (const ScoredVector& result : results) ids.push_back(result.id);
  return pace.run<void>(ids.size() * VectorPace::bytes_of_key, [&] {
    return visit_metadata(database, collection, ids, pace,
                          [&](size_t at, const std::optional<Bytes>& stored) -> Result<void> {
                            if (!stored) return {};
                            ASSIGN_OR_RETURN(results[at].metadata, vectors::decode_metadata(*stored));
                            return {};
                          });
  });
}

Result<std::vector<ScoredVector>> run(const kv::Database& database, const CheckedVectorQuery& query, VectorPace& pace) {
  const VectorSearchRequest& request = *query.request;
  VectorCollection& collection = *query.collection;
  ViewQuery search{.values = request.query,
                   .k = request.k,
                   .ef = query.ef,
                   .filter = query.filter ? &*query.filter : nullptr,
                   .strategy = query.strategy};
  search.resolve = [&](std::span<const uint64_t> ids) -> Result<std::vector<uint64_t>> {
    std::vector<uint64_t> matching;
    RETURN_IF_ERROR(visit_metadata(database, collection, ids, pace,
                                   [&](size_t at, const std::optional<Bytes>& stored) -> Result<void> {
                                     Metadata metadata;
                                     if (stored) {
                                       ASSIGN_OR_RETURN(metadata, vectors::decode_metadata(*stored));
                                     }
                                     if (vectors::matches(*query.filter, metadata)) matching.push_back(ids[at]);
                                     return {};
                                   }));
    return matching;
  };
  search.run = [&](uint64_t bytes, const ViewQuery::Work& work) { return pace.run(bytes, work); };
  const hnsw::StopCheck stopped = [&] { return !pace.check().ok(); };
  search.stopped = &stopped;
  const auto found = collection.view().search(search);
  if (!found.ok()) {
    // A scan that was stopped does not know why.
    if (found.error().code() == ErrorCode::operation_cancelled) RETURN_IF_ERROR(pace.check());
    return found.error();
  }
  std::vector<ScoredVector> results;
  results.reserve(found->size());
  for (const hnsw::Match& match : *found) results.push_back({.id = match.label, .score = match.score});
  if (request.include_metadata) RETURN_IF_ERROR(add_metadata(database, collection, pace, results));
  return results;
}

}  // namespace

Result<VectorSearchAnswer> Vectors::search(const Context& context, const VectorSearchRequest& request,
                                           const StopHandle& stop) {
  const int64_t begin_us = options_.clock->steady_us();
  ASSIGN_OR_RETURN(const CheckedVectorQuery query, check(*collections_, context, request));
  VectorPace pace(long_searches_, options_.short_search_bytes, context, *options_.clock, stop);
  return search_checked(context, query, begin_us, stop, pace);
}

Result<VectorSearchAnswer> Vectors::search_checked(const Context& context, const CheckedVectorQuery& query,
                                                   int64_t begin_us, const StopHandle& stop, VectorPace& pace) {
  const VectorSearchRequest& request = *query.request;
  ++query.collection->reads;
  VectorSearchAnswer answer;
  ASSIGN_OR_RETURN(answer.results, run(database_, query, pace));
  if (request.include_graph && edges_ != nullptr) {
    RETURN_IF_ERROR(edges_->add_edges(context, *query.collection, answer.results, request.graph_threshold,
                                      request.max_graph_edges, stop));
  }
  if (const size_t missing = query.collection->view().unindexed_count(); missing > 0) {
    answer.warning =
        fmt::format("{} vectors are not indexed yet and were not searched: optimize the collection", missing);
  }
  answer.search_time_us = static_cast<uint64_t>(options_.clock->steady_us() - begin_us);
  return answer;
}

Result<BatchSearchAnswer> Vectors::search_batch(const Context& context, std::span<const VectorSearchRequest> requests,
                                                const StopHandle& stop) {
  const int64_t begin_us = options_.clock->steady_us();
  if (requests.size() > max_batch_queries) {
    return Error(ErrorCode::invalid_argument, fmt::format("a batch has {} queries at most", max_batch_queries));
  }
  const auto name = [](size_t at, const Error& error) {
    return Error(error.code(), fmt::format("query {}: {}", at, error.message()));
  };
  // All are checked before any is run.
  std::vector<CheckedVectorQuery> queries;
  queries.reserve(requests.size());
  for (size_t at = 0; at < requests.size(); ++at) {
    auto checked = check(*collections_, context, requests[at]);
    if (!checked.ok()) return name(at, checked.error());
    queries.push_back(*std::move(checked));
  }
  VectorPace pace(long_searches_, options_.short_search_bytes, context, *options_.clock, stop);
  BatchSearchAnswer answer;
  answer.results.reserve(queries.size());
  for (size_t at = 0; at < queries.size(); ++at) {
    RETURN_IF_ERROR(pace.check());
    auto result = search_checked(context, queries[at], options_.clock->steady_us(), stop, pace);
    if (!result.ok()) return name(at, result.error());
    answer.results.push_back(*std::move(result));
  }
  answer.total_time_us = static_cast<uint64_t>(options_.clock->steady_us() - begin_us);
  return answer;
}

}  // namespace strata::service
