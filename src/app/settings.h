// Settings: what `strata start` is told, and where it was told so.
//
// Purpose:       one table of options, the same by flag, environment variable and configuration file; the command line,
//                its help and docs are made from it.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    for each option the first source that names it counts alone: flag, environment, file, default. Nothing
//                unknown, misspelled or out of range is ever ignored.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace strata::app {

enum class EngineKind : uint8_t { rocksdb, memory };

struct Settings {
  std::string database = "strata-data";
  // Where backups of documents to files may lie; empty: the database's directory "backups".
  std::string backup_root;
  std::vector<std::string> bulk_roots;
  EngineKind engine = EngineKind::rocksdb;
  bool sync_commits = true;
  bool limits_of_foundationdb = false;
  std::vector<std::string> namespaces;
  int64_t block_cache_bytes = 256 << 20;
  int64_t write_buffer_bytes = 64 << 20;
  int64_t log_segment_bytes = 16 << 20;
  int64_t log_retention_bytes = 1 << 30;
  int64_t log_retention_age_hours = 7 * 24;

  std::string bind = "127.0.0.1";
  uint16_t port = 8080;
  // 50051, where port is 0 another free one.
  std::optional<uint16_t> grpc_port;
  // PEM files; both or neither.
  std::string grpc_tls_cert;
  std::string grpc_tls_key;
  int64_t io_threads = 0;

  bool insecure = false;
  std::vector<std::string> api_keys;

  // A leader's URL; empty: follows nobody.
  std::string follow;
  std::string follow_key;
  std::string follow_ca;

  int64_t header_timeout_ms = 10'000;
  int64_t body_timeout_ms = 30'000;
  int64_t write_timeout_ms = 30'000;
  int64_t keep_alive_timeout_ms = 75'000;
  int64_t request_timeout_ms = 60'000;
  int64_t drain_timeout_ms = 30'000;
  int64_t max_connections = 10'000;
  int64_t max_requests_in_flight = 4'096;

  int64_t transaction_idle_seconds = 120;
  int64_t transaction_age_seconds = 900;
  int64_t max_object_bytes = int64_t{1} << 40;

  log::Format log_format = log::Format::pretty;
  log::Level log_level = log::Level::info;
};

enum class OptionKind : uint8_t {
  value,
  list,    // repeatable as a flag, comma-separated in the environment, an array in the file
  flag,    // needs no value on the command line
  secret,  // a list that is no flag: every user of the machine sees a command line
};

struct OptionRow {
  std::string_view name;  // --name, STRATA_NAME, name = ... in the file
  char short_name;        // or 0
  OptionKind kind;
  std::string_view group;
  std::string_view placeholder;
  std::string_view help;
  // The error's message says what would be right.
  Result<void> (*set)(Settings&, std::span<const std::string>);
};

std::span<const OptionRow> option_rows();
const OptionRow* find_option(std::string_view name);

// "--grpc-port" is "STRATA_GRPC_PORT".
std::string environment_name(std::string_view option);

// Option name -> its values, of one source. A value option has exactly one.
using RawValues = std::map<std::string, std::vector<std::string>, std::less<>>;

struct Sources {
  RawValues flags;
  RawValues environment;
  RawValues file;
  std::string file_name;
};

// What the environment says; `get` is std::getenv, or a test's.
RawValues read_environment(const std::function<const char*(const char*)>& get);
// Names the source and the option in its errors, which are invalid_argument. Refuses to listen for everybody without
// keys.
Result<Settings> resolve(const Sources& sources);

bool is_loopback(std::string_view address);

}  // namespace strata::app
