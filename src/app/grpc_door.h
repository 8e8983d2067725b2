// GrpcDoor: the gRPC port as the program builds it.
//
// Purpose:       from settings and services to a server that listens.
// Ownership:     borrows the settings, the services and the metrics registry, which outlive it.
// Thread safety: the program's main thread; stop() from any one.
#pragma once

#include <memory>

#include "app/settings.h"
#include "faces/grpc/dispatcher.h"
#include "faces/grpc/server.h"
#include "faces/grpc/services.h"

namespace strata::app {

class GrpcDoor {
 public:
  explicit GrpcDoor(const Settings& settings) : settings_(settings) {}

  Result<void> start(const rpc::Services& services, MetricsRegistry& metrics);
  uint16_t port() const { return server_->port(); }
  // False: a call would not end, and the process has to.
  bool stop() { return !server_ || server_->stop(); }

 private:
  const Settings& settings_;
  rpc::Services services_;
  std::unique_ptr<rpc::Dispatcher> dispatcher_;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace strata::app
