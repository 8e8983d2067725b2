#include "faces/grpc/rpc.h"

namespace strata::rpc {

std::vector<std::span<const Rpc>> all_rpcs() {
  return {
      collection_rpcs(), vector_rpcs(), search_rpcs(), graph_rpcs(), math_rpcs(), health_rpcs(), reflection_rpcs(),
  };
}

}  // namespace strata::rpc
