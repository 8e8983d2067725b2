#include <swarndb/v1/graph.pb.h>

#include "faces/grpc/rpc.h"
#include "faces/grpc/vector_messages.h"
#include "service/stop_on_cancellation.h"
#include "service/vector_graph.h"

namespace strata::rpc {
namespace {

namespace v1 = swarndb::v1;

constexpr uint32_t default_depth = 2;

Result<void> related(Call& call, const v1::GetRelatedRequest& message, v1::GetRelatedResponse& response) {
  const service::RelatedRequest request{.collection = message.collection(),
                                        .id = message.vector_id(),
                                        .threshold = message.threshold(),
                                        .max_results = message.max_results()};
  ASSIGN_OR_RETURN(const auto edges, call.services().vector_graph->related(call.context(), request));
  for (const service::RelatedVector& one : edges) {
    v1::GraphEdge& edge = *response.add_edges();
    edge.set_target_id(one.id);
    edge.set_similarity(one.similarity);
  }
  return {};
}

Result<void> traverse(Call& call, const v1::TraverseRequest& message, v1::TraverseResponse& response) {
  const service::TraverseRequest request{.collection = message.collection(),
                                         .start_id = message.start_id(),
                                         .depth = message.depth() == 0 ? default_depth : message.depth(),
                                         .threshold = message.threshold(),
                                         .max_results = message.max_results()};
  const service::StopOnCancellation stop(call.cancellation());
  ASSIGN_OR_RETURN(const auto nodes, call.services().vector_graph->traverse(call.context(), request, stop.flag()));
  for (const service::TraversalNode& one : nodes) {
    v1::TraversalNode& node = *response.add_nodes();
    node.set_id(one.id);
    node.set_depth(one.depth);
    node.set_path_similarity(one.path_similarity);
    fill(*node.mutable_path(), one.path);
  }
  return {};
}

Result<void> set_threshold(Call& call, const v1::SetThresholdRequest& message, v1::SetThresholdResponse& response) {
  RETURN_IF_ERROR(call.services().vectors->set_threshold(call.context(), message.collection(), message.vector_id(),
                                                         message.threshold()));
  response.set_success(true);
  return {};
}

const Rpc rows[] = {
    {.path = "/swarndb.v1.GraphService/GetRelated", .handler = unary<related>},
    {.path = "/swarndb.v1.GraphService/Traverse", .handler = unary<traverse>},
    {.path = "/swarndb.v1.GraphService/SetThreshold", .permission = Permission::write, .handler = unary<set_threshold>},
};

}  // namespace

std::span<const Rpc> graph_rpcs() { return rows; }

}  // namespace strata::rpc
