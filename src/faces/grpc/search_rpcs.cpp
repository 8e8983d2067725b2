#include <swarndb/v1/search.pb.h>

#include "faces/grpc/rpc.h"
#include "faces/grpc/vector_messages.h"
#include "service/stop_on_cancellation.h"
#include "service/vectors.h"

namespace strata::rpc {
namespace {

namespace v1 = swarndb::v1;

constexpr uint32_t default_graph_edges = 10;

Result<service::VectorSearchRequest> request_of(const v1::SearchRequest& message) {
  service::VectorSearchRequest request{
      .collection = message.collection(),
      .query = values_of(message.query()),
      .k = message.k(),
      .strategy = message.strategy(),
      .include_metadata = message.include_metadata(),
      .include_graph = message.include_graph(),
      .graph_threshold = message.graph_threshold(),
      .max_graph_edges = message.max_graph_edges() == 0 ? default_graph_edges : message.max_graph_edges(),
      .oversampling = message.quantization().oversampling(),
  };
  if (message.has_ef_search()) request.ef_search = message.ef_search();
  if (message.has_filter()) {
    ASSIGN_OR_RETURN(request.filter, filter_of(message.filter()));
  }
  return request;
}

void fill_answer(const service::VectorSearchRequest& request, service::VectorSearchAnswer&& answer,
                 v1::SearchResponse& response) {
  response.mutable_results()->Reserve(static_cast<int>(answer.results.size()));
  for (const service::ScoredVector& found : answer.results) {
    v1::ScoredResult& result = *response.add_results();
    result.set_id(found.id);
    result.set_score(found.score);
    if (request.include_metadata) fill_metadata(found.metadata, *result.mutable_metadata());
    for (const service::RelatedVector& related : found.edges) {
      v1::RelatedEdge& edge = *result.add_graph_edges();
      edge.set_target_id(related.id);
      edge.set_similarity(related.similarity);
    }
  }
  response.set_search_time_us(answer.search_time_us);
  response.set_warning(std::move(answer.warning));
}

Result<void> search(Call& call, const v1::SearchRequest& message, v1::SearchResponse& response) {
  ASSIGN_OR_RETURN(const service::VectorSearchRequest request, request_of(message));
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(service::VectorSearchAnswer answer,
                   call.services().vectors->search(call.context(), request, stop.flag()));
  fill_answer(request, std::move(answer), response);
  return {};
}

Result<void> search_batch(Call& call, const v1::BatchSearchRequest& message, v1::BatchSearchResponse& response) {
  std::vector<service::VectorSearchRequest> requests;
  requests.reserve(static_cast<size_t>(message.queries().size()));
  for (const v1::SearchRequest& query : message.queries()) {
    Result<service::VectorSearchRequest> request = request_of(query);
    if (!request.ok()) {
      return Error(request.error().code(),
                   "query " + std::to_string(requests.size()) + ": " + std::string(request.error().message()));
    }
    requests.push_back(*std::move(request));
  }
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(service::BatchSearchAnswer answer,
                   call.services().vectors->search_batch(call.context(), requests, stop.flag()));
  for (size_t i = 0; i < answer.results.size(); ++i) {
    fill_answer(requests[i], std::move(answer.results[i]), *response.add_results());
  }
  response.set_total_time_us(answer.total_time_us);
  return {};
}

const Rpc rows[] = {
    {.path = "/swarndb.v1.SearchService/Search", .handler = unary<search>},
    {.path = "/swarndb.v1.SearchService/BatchSearch", .handler = unary<search_batch>},
};

}  // namespace

std::span<const Rpc> search_rpcs() { return rows; }

}  // namespace strata::rpc
