#include "faces/grpc/server.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <vector>

#include "base/log.h"
#include "faces/grpc/server_thread.h"

namespace strata::rpc {
namespace {

// After the library has cancelled what was left.
constexpr int64_t last_wait_ms = 5'000;
// For the last answers to leave.
constexpr std::chrono::milliseconds flush_time{50};

Result<std::string> read_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  if (!file) return Error(ErrorCode::io_error, "cannot read " + name);
  return std::move(contents).str();
}

}  // namespace

class Server::Implementation {
 public:
  Implementation(Dispatcher& dispatcher, ServerOptions options)
      : dispatcher_(dispatcher), options_(std::move(options)) {}
  ~Implementation() { stop(); }

  Result<void> start();
  bool stop();
  int port = 0;

 private:
  Result<std::shared_ptr<::grpc::ServerCredentials>> credentials() const;
  void set_limits(::grpc::ServerBuilder& builder) const;
  void register_methods(::grpc::ServerBuilder& builder);
  void wait_for_calls() const;

  Dispatcher& dispatcher_;
  const ServerOptions options_;
  // Before the library's server, which uses them until it is gone.
  std::map<std::string, std::unique_ptr<TableService>, std::less<>> services_;
  std::vector<ServedMethod> methods_;
  std::vector<std::unique_ptr<ServerThread>> threads_;
  std::unique_ptr<::grpc::Server> server_;
};

Result<std::shared_ptr<::grpc::ServerCredentials>> Server::Implementation::credentials() const {
  if (options_.tls_certificate_file.empty()) return ::grpc::InsecureServerCredentials();
  ASSIGN_OR_RETURN(std::string certificate, read_file(options_.tls_certificate_file));
  ASSIGN_OR_RETURN(std::string key, read_file(options_.tls_key_file));
  ::grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  tls.pem_key_cert_pairs.push_back({std::move(key), std::move(certificate)});
  return ::grpc::SslServerCredentials(tls);
}

void Server::Implementation::set_limits(::grpc::ServerBuilder& builder) const {
  builder.SetMaxReceiveMessageSize(options_.max_message_bytes);
  builder.SetMaxSendMessageSize(options_.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options_.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options_.max_metadata_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, static_cast<int>(options_.idle_timeout_ms));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(options_.keep_alive_ms));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  // Two servers on one port would share its calls without a word.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  ::grpc::ResourceQuota quota("strata");
  quota.Resize(options_.buffer_bytes);
  builder.SetResourceQuota(quota);
}

void Server::Implementation::register_methods(::grpc::ServerBuilder& builder) {
  for (const Rpc* rpc : dispatcher_.rpcs()) {
    std::unique_ptr<TableService>& service = services_[std::string(rpc->path.substr(0, rpc->path.rfind('/')))];
    if (!service) service = std::make_unique<TableService>();
    const int index = service->add(rpc->path);
    methods_.push_back({service.get(), index});
  }
  for (const auto& [name, service] : services_) builder.RegisterService(service.get());
}

Result<void> Server::Implementation::start() {
  ::grpc::ServerBuilder builder;
  ASSIGN_OR_RETURN(std::shared_ptr<::grpc::ServerCredentials> door, credentials());
  const bool ipv6 = options_.bind.find(':') != std::string::npos;
  const std::string host = ipv6 ? "[" + options_.bind + "]" : options_.bind;
  const std::string address = host + ":" + std::to_string(options_.port);
  builder.AddListeningPort(address, std::move(door), &port);
  set_limits(builder);
  register_methods(builder);
  const int threads =
      options_.threads > 0 ? options_.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (int i = 0; i < threads; ++i) {
    threads_.push_back(std::make_unique<ServerThread>(dispatcher_, builder.AddCompletionQueue()));
  }
  server_ = builder.BuildAndStart();
  for (int i = 0; i < threads; ++i) {
    // Also where the start failed: the queues have to be shut down by somebody.
    threads_[static_cast<size_t>(i)]->start(server_ ? methods_ : std::vector<ServedMethod>(), i);
  }
  if (server_ && port != 0) return {};
  stop();
  if (!options_.tls_certificate_file.empty()) {
    return Error(ErrorCode::unavailable, "cannot serve gRPC on " + address + " with the certificate of " +
                                             options_.tls_certificate_file +
                                             ": the address is taken or not of this machine, or certificate and key "
                                             "do not belong together");
  }
  return Error(ErrorCode::unavailable, "cannot listen on " + address + " for gRPC");
}

// The library's own graceful end waits for every client to close its connection, and an idle client looks at its own
// once in five seconds.
void Server::Implementation::wait_for_calls() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.drain_timeout_ms);
  const auto busy = [](const auto& thread) { return thread->calls_in_flight() > 0; };
  while (std::ranges::any_of(threads_, busy) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

bool Server::Implementation::stop() {
  if (server_) {
    dispatcher_.begin_drain();
    for (const auto& thread : threads_) thread->begin_drain();
    wait_for_calls();
    server_->Shutdown(std::chrono::system_clock::now() + flush_time);
  }
  for (const auto& thread : threads_) thread->begin_end();
  for (const auto& thread : threads_) {
    if (!thread->join(last_wait_ms)) return false;
  }
  threads_.clear();
  server_.reset();
  return true;
}

Server::Server(Dispatcher& dispatcher, ServerOptions options)
    : implementation_(std::make_unique<Implementation>(dispatcher, std::move(options))) {}
Server::~Server() = default;
Result<void> Server::start() { return implementation_->start(); }
uint16_t Server::port() const { return static_cast<uint16_t>(implementation_->port); }
bool Server::stop() { return implementation_->stop(); }

}  // namespace strata::rpc
