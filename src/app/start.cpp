#include "app/start.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "app/config_file.h"
#include "app/engine_metrics.h"
#include "app/file_commands.h"
#include "app/file_services.h"
#include "app/grpc_door.h"
#include "app/log_metrics.h"
#include "app/made_directory.h"
#include "app/service_manager.h"
#include "app/signals.h"
#include "base/log.h"
#include "base/metrics.h"
#include "engine/memory/memory_engine.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "faces/rest/all_routes.h"
#include "faces/rest/dispatcher.h"
#include "faces/rest/server.h"
#include "faces/rest/system_routes.h"
#include "kv/database.h"
#include "service/backups.h"
#include "service/document_backups.h"
#include "service/document_indexes.h"
#include "service/document_query.h"
#include "service/documents.h"
#include "service/log.h"
#include "service/log_signal.h"
#include "service/namespace_loader.h"
#include "service/objects.h"
#include "service/records.h"
#include "service/replica.h"
#include "service/tasks.h"
#include "service/transactions.h"
#include "service/vector_graph.h"
#include "service/vector_math.h"
#include "service/vectors.h"

namespace strata::app {
namespace {

Result<Settings> read_settings(const StartCommand& command) {
  Sources sources;
  sources.flags = command.flags;
  sources.environment = read_environment(std::getenv);
  sources.file_name = command.config_file;
  if (const char* variable = std::getenv("STRATA_CONFIG"); sources.file_name.empty() && variable != nullptr) {
    sources.file_name = variable;
  }
  if (!sources.file_name.empty()) {
    ASSIGN_OR_RETURN(sources.file, read_config_file(sources.file_name));
  }
  return resolve(sources);
}

// Half of the descriptors are the store's: where it gets none for its next log or table, writes stop until a restart.
size_t connections_within_limit(size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const size_t most = std::max<size_t>(limit.rlim_cur / 2, 1);
  if (wanted <= most) return wanted;
  log::warning("the limit of open files (ulimit -n) allows fewer connections than max-connections",
               {{"open_files", static_cast<int64_t>(limit.rlim_cur)}, {"connections", most}});
  return most;
}

// What a server is made of, in the order in which it is built; taken apart in reverse.
class Program {
 public:
  explicit Program(const Settings& settings) : settings_(settings), status_(version_number()), grpc_(settings) {}

  Result<void> open_store();
  // Clears what a crash left, makes those that were asked for, starts the services. invalid_argument: not a name.
  Result<void> make_namespaces();
  // What --database names where it is an exported file, when it is opened for the first time.
  Result<void> import_exported_file(const DatabasePlace& place, MadeDirectory& made);
  Result<void> serve();
  // False: something would not end, and the process has to.
  bool stop();

 private:
  void make_services();
  void make_vectors(kv::Durability durability);
  rest::ServerOptions server_options() const;

  const Settings& settings_;
  MetricsRegistry metrics_;
  rest::SystemStatus status_;
  std::shared_ptr<kv::RocksdbEngine> rocksdb_;
  std::unique_ptr<kv::Database> database_;
  service::LogSignal signal_;
  std::unique_ptr<service::Records> records_;
  std::unique_ptr<service::Log> log_;
  std::unique_ptr<service::Objects> objects_;
  std::unique_ptr<service::Backups> backups_;
  std::unique_ptr<service::Transactions> transactions_;
  std::unique_ptr<service::Documents> documents_;
  std::unique_ptr<service::DocumentIndexes> document_indexes_;
  std::unique_ptr<service::DocumentQueries> document_queries_;
  std::unique_ptr<service::DocumentBackups> document_backups_;
  std::unique_ptr<service::Vectors> vectors_;
  std::unique_ptr<service::VectorGraph> vector_graph_;
  std::unique_ptr<service::VectorMath> vector_math_;
  std::unique_ptr<FileServices> files_;
  std::unique_ptr<service::Replica> replica_;
  service::Tasks tasks_;
  rest::Services services_;
  std::unique_ptr<rest::Dispatcher> dispatcher_;
  std::unique_ptr<rest::Server> server_;
  GrpcDoor grpc_;
};

Result<void> Program::open_store() {
  register_process_metrics(metrics_);
  std::shared_ptr<kv::Engine> engine;
  kv::Limits limits;
  if (settings_.limits_of_foundationdb) limits.transaction_bytes = 10'000'000;
  if (settings_.engine == EngineKind::memory) {
    engine = std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.limits = limits});
  } else {
    kv::RocksdbOptions options;
    options.directory = settings_.database;
    options.limits = limits;
    options.durability = settings_.sync_commits ? kv::Durability::sync : kv::Durability::async;
    options.block_cache_bytes = static_cast<size_t>(settings_.block_cache_bytes);
    options.write_buffer_bytes = static_cast<size_t>(settings_.write_buffer_bytes);
    ASSIGN_OR_RETURN(rocksdb_, kv::RocksdbEngine::open(std::move(options)));
    register_engine_metrics(metrics_, rocksdb_);
    status_.add_check("writes", [engine = rocksdb_]() -> std::string {
      const Result<void> health = engine->health();
      return health.ok() ? "" : std::string(health.error().message());
    });
    engine = rocksdb_;
  }
  database_ = std::make_unique<kv::Database>(std::move(engine));

  make_services();
  return {};
}

void Program::make_services() {
  const kv::Durability durability = settings_.sync_commits ? kv::Durability::sync : kv::Durability::async;
  records_ = std::make_unique<service::Records>(*database_,
                                                service::RecordsOptions{.durability = durability, .signal = &signal_});
  log_ = std::make_unique<service::Log>(
      *database_, signal_,
      service::LogOptions{.durability = durability,
                          .segment_bytes = static_cast<uint64_t>(settings_.log_segment_bytes),
                          .retention_bytes = static_cast<uint64_t>(settings_.log_retention_bytes),
                          .retention_age_us = settings_.log_retention_age_hours * 3'600 * 1'000'000});
  register_log_metrics(metrics_, *log_);
  objects_ = std::make_unique<service::Objects>(
      *database_, service::ObjectsOptions{.durability = durability,
                                          .signal = &signal_,
                                          .max_object_bytes = static_cast<uint64_t>(settings_.max_object_bytes)});
  transactions_ = std::make_unique<service::Transactions>(
      *database_, *objects_,
      service::TransactionsOptions{.durability = durability,
                                   .signal = &signal_,
                                   .idle_us = settings_.transaction_idle_seconds * 1'000'000,
                                   .age_us = settings_.transaction_age_seconds * 1'000'000});
  documents_ = std::make_unique<service::Documents>(*database_, service::DocumentsOptions{.durability = durability});
  document_indexes_ =
      std::make_unique<service::DocumentIndexes>(*database_, service::DocumentIndexesOptions{.durability = durability});
  document_queries_ = std::make_unique<service::DocumentQueries>(*database_);
  backups_ = std::make_unique<service::Backups>(*database_, *log_, *objects_,
                                                service::BackupsOptions{.directory = settings_.database + "/backups"});
  document_backups_ = std::make_unique<service::DocumentBackups>(
      *database_, tasks_,
      service::DocumentBackupsOptions{
          .durability = durability,
          .root = settings_.backup_root.empty() ? settings_.database + "/backups" : settings_.backup_root,
          .on_restored = [this] { document_indexes_->wake(); }});
  make_vectors(durability);
  files_ = std::make_unique<FileServices>(*database_, durability);
  service::ReplicaOptions replica{.durability = durability,
                                  .segment_bytes = static_cast<uint64_t>(settings_.log_segment_bytes)};
  replica.leader = {.url = settings_.follow, .api_key = settings_.follow_key, .ca_file = settings_.follow_ca};
  replica_ = std::make_unique<service::Replica>(*database_, signal_, *objects_, replica);
}

void Program::make_vectors(kv::Durability durability) {
  service::VectorsOptions options{.durability = durability, .bulk_roots = settings_.bulk_roots};
  if (settings_.engine != EngineKind::memory) options.directory = settings_.database + "/vectors";
  options.read_only = !settings_.follow.empty();
  vectors_ = std::make_unique<service::Vectors>(*database_, options);
  vectors_->register_metrics(metrics_);
  vector_graph_ = std::make_unique<service::VectorGraph>(*vectors_, system_clock());
  vectors_->set_edges(vector_graph_.get());
  vector_math_ = std::make_unique<service::VectorMath>(*database_, system_clock());
  status_.set_loading([this] { return vectors_->not_ready(); });
  status_.set_collection_counts([this] { return vectors_->collection_count(); },
                                [this] { return vectors_->vector_count(); });
  status_.set_recovery([this] {
    const service::RecoveryStatus found = vectors_->recovery_status();
    rest::SystemStatus::Recovery recovery{.path = std::string(service::recovery_path_name(found.path)),
                                          .elapsed_seconds = found.elapsed_seconds};
    for (const auto& collection : found.collections) {
      recovery.collections.emplace(collection.name, service::recovery_path_name(collection.path));
    }
    return recovery;
  });
}

Result<void> Program::make_namespaces() {
  ASSIGN_OR_RETURN(const size_t dropped, service::drop_unfinished_namespaces(*database_));
  if (dropped > 0) log::info("cleared what was being restored when the last run ended", {{"namespaces", dropped}});
  RETURN_IF_ERROR(service::clear_unfinished_tables(*database_));
  // Before anything is written: a store that may not be started so stays as it is.
  RETURN_IF_ERROR(replica_->open());
  RETURN_IF_ERROR(records_->open(settings_.namespaces));
  RETURN_IF_ERROR(log_->open());
  RETURN_IF_ERROR(objects_->open());
  RETURN_IF_ERROR(vectors_->open());
  RETURN_IF_ERROR(files_->collector.open());
  return transactions_->open();
}

Result<void> Program::import_exported_file(const DatabasePlace& place, MadeDirectory& made) {
  Result<void> imported = app::import_exported_file(files_->archives, place);
  if (imported.ok()) {
    made.keep();
    return imported;
  }
  // Of what failed there may be a part that is to be seen.
  const Result<bool> has_head = files_->archives.has_head({});
  if (!has_head.ok() || *has_head) made.keep();
  return imported;
}

rest::ServerOptions Program::server_options() const {
  rest::ServerOptions options;
  options.bind = settings_.bind;
  options.port = settings_.port;
  options.io_threads = static_cast<int>(settings_.io_threads);
  options.header_timeout_ms = settings_.header_timeout_ms;
  options.body_timeout_ms = settings_.body_timeout_ms;
  options.write_timeout_ms = settings_.write_timeout_ms;
  options.keep_alive_timeout_ms = settings_.keep_alive_timeout_ms;
  options.drain_timeout_ms = settings_.drain_timeout_ms;
  options.max_connections = connections_within_limit(static_cast<size_t>(settings_.max_connections));
  options.max_requests_in_flight = static_cast<size_t>(settings_.max_requests_in_flight);
  return options;
}

Result<void> Program::serve() {
  services_.metrics = &metrics_;
  services_.system = &status_;
  services_.records = records_.get();
  services_.log = log_.get();
  services_.backups = backups_.get();
  services_.objects = objects_.get();
  services_.transactions = transactions_.get();
  services_.documents = documents_.get();
  services_.document_indexes = document_indexes_.get();
  services_.document_queries = document_queries_.get();
  services_.document_backups = document_backups_.get();
  services_.vectors = vectors_.get();
  services_.vector_graph = vector_graph_.get();
  services_.vector_math = vector_math_.get();
  files_->add_to(services_);
  services_.replica = replica_.get();
  services_.tasks = &tasks_;

  rest::DispatcherOptions options;
  options.api_keys = settings_.api_keys;
  options.request_timeout_ms = settings_.request_timeout_ms;
  options.version = version_number();
  if (!settings_.sync_commits) options.header_lines = "X-Durability: async\r\n";
  dispatcher_ = std::make_unique<rest::Dispatcher>(rest::all_routes(), services_, metrics_, std::move(options));
  server_ = std::make_unique<rest::Server>(*dispatcher_, metrics_, server_options());
  RETURN_IF_ERROR(server_->start());
  rpc::Services grpc;
  grpc.vectors = vectors_.get();
  grpc.vector_graph = vector_graph_.get();
  grpc.vector_math = vector_math_.get();
  grpc.replica = replica_.get();
  grpc.is_ready = [this] { return status_.readiness().ready; };
  RETURN_IF_ERROR(grpc_.start(grpc, metrics_));
  document_indexes_->start();
  RETURN_IF_ERROR(replica_->start());
  status_.set_started();

  const bool ipv6 = settings_.bind.find(':') != std::string::npos;
  const std::string host = ipv6 ? fmt::format("[{}]", settings_.bind) : settings_.bind;
  const std::string http = fmt::format("{}:{}", host, server_->port());
  const std::string grpc_address = fmt::format("{}:{}", host, grpc_.port());
  log::info("ready", {{"http", http}, {"grpc", grpc_address}, {"keys", settings_.api_keys.size()}});
  fmt::print("strata ready http={} grpc={}\n", http, grpc_address);
  std::fflush(stdout);
  tell_service_manager("READY=1");
  return {};
}

bool Program::stop() {
  tell_service_manager("STOPPING=1");
  // Both doors at once: together they have drain-timeout-ms.
  bool grpc_ended = false;
  std::thread grpc([&] { grpc_ended = grpc_.stop(); });
  const bool http_ended = server_->stop();
  grpc.join();
  replica_->stop();
  tasks_.stop();
  document_backups_->stop();
  files_->archives.stop();
  files_->collector.stop();
  vectors_->stop();
  transactions_->stop();
  objects_->stop();
  log_->stop();
  if (rocksdb_) {
    if (const Result<void> synced = rocksdb_->sync(); !synced.ok()) {
      log::error("the last writes may not be on disk", {{"error", synced.error().message()}});
    }
  }
  return http_ended && grpc_ended;
}

void log_settings(const Settings& settings) {
  log::info("starting", {{"version", version_number()},
                         {"engine", settings.engine == EngineKind::memory ? "memory" : "rocksdb"},
                         {"database", settings.engine == EngineKind::memory ? std::string_view() : settings.database},
                         {"durability", settings.sync_commits ? "sync" : "async"}});
  if (!is_loopback(settings.bind) && settings.api_keys.empty()) {
    log::warning("every host that reaches this address may read and write everything: no keys are set",
                 {{"bind", settings.bind}});
  }
}

Exit could_not(std::string_view what, const Error& error, Exit exit) {
  log::error(what, {{"error", error.message()}});
  return exit;
}

}  // namespace

Exit run_start(const StartCommand& command) {
  Result<Settings> settings = read_settings(command);
  if (!settings.ok()) {
    fmt::print(stderr, "strata: {}\n", settings.error().message());
    return Exit::usage;
  }
  const DatabasePlace place = settings->engine == EngineKind::memory
                                  ? DatabasePlace{.directory = settings->database, .archive = {}}
                                  : database_place(settings->database);
  settings->database = place.directory;
  log::configure(settings->log_format, settings->log_level);
  block_termination_signals();
  log_settings(*settings);

  if (const Result<void> checked = check_exported_file(place); !checked.ok()) {
    return could_not("cannot import the exported file", checked.error(), Exit::damaged);
  }
  // Behind the program, which has it open.
  MadeDirectory data_directory = place.archive.empty() ? MadeDirectory() : MadeDirectory(place.directory);
  Program program(*settings);
  if (const Result<void> opened = program.open_store(); !opened.ok()) {
    // Somebody else has it.
    if (opened.error().code() == ErrorCode::unavailable) data_directory.keep();
    const bool damaged = opened.error().code() == ErrorCode::corruption;
    return could_not("cannot open the data directory", opened.error(), damaged ? Exit::damaged : Exit::database);
  }
  if (const Result<void> made = program.make_namespaces(); !made.ok()) {
    const ErrorCode code = made.error().code();
    const bool is_asked_wrongly = code == ErrorCode::invalid_argument || code == ErrorCode::precondition_failed;
    return could_not("cannot begin", made.error(), is_asked_wrongly ? Exit::usage : Exit::database);
  }
  if (const Result<void> imported = program.import_exported_file(place, data_directory); !imported.ok()) {
    return could_not("cannot import the exported file", imported.error(), Exit::damaged);
  }
  if (const Result<void> served = program.serve(); !served.ok()) {
    return could_not("cannot listen", served.error(), Exit::address_in_use);
  }
  const int signal = wait_for_termination_signal();
  log::info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  end_at_once_on_next_signal();
  if (!program.stop()) {
    // Its threads still use what would be destroyed now.
    log::error("a request did not end within drain-timeout-ms; ending without it");
    _exit(static_cast<int>(Exit::failed));
  }
  log::info("stopped");
  return Exit::ok;
}

}  // namespace strata::app
