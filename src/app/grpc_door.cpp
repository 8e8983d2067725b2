#include "app/grpc_door.h"

namespace strata::app {

Result<void> GrpcDoor::start(const rpc::Services& services, MetricsRegistry& metrics) {
  services_ = services;
  rpc::DispatcherOptions options;
  options.api_keys = settings_.api_keys;
  options.request_timeout_ms = settings_.request_timeout_ms;
  options.max_calls_in_flight = static_cast<size_t>(settings_.max_requests_in_flight);
  dispatcher_ = std::make_unique<rpc::Dispatcher>(rpc::all_rpcs(), services_, metrics, std::move(options));

  rpc::ServerOptions door;
  door.bind = settings_.bind;
  door.port = *settings_.grpc_port;
  door.threads = static_cast<int>(settings_.io_threads);
  door.tls_certificate_file = settings_.grpc_tls_cert;
  door.tls_key_file = settings_.grpc_tls_key;
  door.drain_timeout_ms = settings_.drain_timeout_ms;
  server_ = std::make_unique<rpc::Server>(*dispatcher_, std::move(door));
  return server_->start();
}

}  // namespace strata::app
