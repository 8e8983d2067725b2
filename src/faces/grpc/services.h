// Services: what the handlers of RPCs call.
//
// Purpose:       the program hands one of these to the dispatcher.
// Ownership:     borrows; everything outlives the server.
// Thread safety: the members are set before the server starts and never change.
#pragma once

#include <functional>

#include "base/clock.h"

namespace strata::service {
class Replica;
class VectorGraph;
class VectorMath;
class Vectors;
}  // namespace strata::service

namespace strata::rpc {

struct Services {
  Clock* clock = &system_clock();
  service::Vectors* vectors = nullptr;
  service::VectorGraph* vector_graph = nullptr;
  service::VectorMath* vector_math = nullptr;
  // Absent: a server that cannot follow.
  service::Replica* replica = nullptr;
  // What /readyz says; absent: ready.
  std::function<bool()> is_ready;
  // The services of the table, for reflection and health; set by the dispatcher.
  std::vector<std::string_view> service_names;
};

}  // namespace strata::rpc
