#include "faces/grpc/rpc.h"

namespace strata::rpc {

std::vector<std::span<const Rpc>> all_rpcs() {
  return {
      health_rpcs(),
      reflection_rpcs(),
  };
}

}  // namespace strata::rpc
