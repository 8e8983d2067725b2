#include "app/settings.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/parse_number.h"
#include "service/leader_client.h"

namespace strata::app {
namespace {

using Values = std::span<const std::string>;

Error bad_value(std::string_view value, std::string_view wanted) {
  return Error(ErrorCode::invalid_argument, fmt::format("\"{}\" is not {}", printable(value), wanted));
}

template <auto member, int64_t least, int64_t most>
Result<void> set_integer(Settings& settings, Values values) {
  const std::string& text = values[0];
  const auto value = parse_number<int64_t>(text);
  if (!value || *value < least || *value > most) {
    return bad_value(text, fmt::format("a number from {} to {}", least, most));
  }
  using Member = std::remove_reference_t<decltype(settings.*member)>;
  settings.*member = static_cast<Member>(*value);
  return {};
}

template <auto member>
Result<void> set_timeout(Settings& settings, Values values) {
  return set_integer<member, 1, 86'400'000>(settings, values);
}

template <auto member>
Result<void> set_list(Settings& settings, Values values) {
  for (const std::string& value : values) {
    if (value.empty()) return Error(ErrorCode::invalid_argument, "an empty value in the list");
  }
  (settings.*member).assign(values.begin(), values.end());
  return {};
}

Result<void> set_database(Settings& settings, Values values) {
  if (values[0].empty()) return bad_value(values[0], "a directory");
  settings.database = values[0];
  return {};
}

Result<void> set_engine(Settings& settings, Values values) {
  if (values[0] != "rocksdb" && values[0] != "memory") return bad_value(values[0], "rocksdb or memory");
  settings.engine = values[0] == "rocksdb" ? EngineKind::rocksdb : EngineKind::memory;
  return {};
}

Result<void> set_durability(Settings& settings, Values values) {
  if (values[0] != "sync" && values[0] != "async") return bad_value(values[0], "sync or async");
  settings.sync_commits = values[0] == "sync";
  return {};
}

Result<void> set_limits(Settings& settings, Values values) {
  if (values[0] != "embedded" && values[0] != "foundationdb") return bad_value(values[0], "embedded or foundationdb");
  settings.limits_of_foundationdb = values[0] == "foundationdb";
  return {};
}

Result<void> set_bind(Settings& settings, Values values) {
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  const char* text = values[0].c_str();
  if (inet_pton(AF_INET, text, parsed.data()) != 1 && inet_pton(AF_INET6, text, parsed.data()) != 1) {
    return bad_value(values[0], "an IPv4 or IPv6 address");
  }
  settings.bind = values[0];
  return {};
}

Result<void> set_auth(Settings&, Values values) {
  static constexpr std::array<std::string_view, 5> off = {"false", "null", "no", "0", "disabled"};
  if (std::find(off.begin(), off.end(), values[0]) != off.end()) return {};
  return Error(ErrorCode::invalid_argument,
               fmt::format("\"{}\" is not false, null, no, 0 or disabled: users and permissions are no part of this "
                           "version; static keys are (STRATA_API_KEYS)",
                           printable(values[0])));
}

Result<void> set_insecure(Settings& settings, Values values) {
  if (values[0] != "true" && values[0] != "false") return bad_value(values[0], "true or false");
  settings.insecure = values[0] == "true";
  return {};
}

Result<void> set_api_keys(Settings& settings, Values values) {
  if (values.empty()) return Error(ErrorCode::invalid_argument, "names no key");
  for (const std::string& key : values) {
    const bool visible = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
    // The value is a secret: the message does not repeat it.
    if (key.empty() || !visible) return Error(ErrorCode::invalid_argument, "a key must be of visible ASCII characters");
  }
  settings.api_keys.assign(values.begin(), values.end());
  return {};
}

Result<void> set_follow(Settings& settings, Values values) {
  RETURN_IF_ERROR(service::validate_leader_url(values[0]));
  settings.follow = values[0];
  return {};
}

Result<void> set_follow_key(Settings& settings, Values values) {
  if (values.size() != 1) return Error(ErrorCode::invalid_argument, "is not one key");
  const bool visible = std::all_of(values[0].begin(), values[0].end(), [](char c) { return c > ' ' && c <= '~'; });
  if (values[0].empty() || !visible)
    return Error(ErrorCode::invalid_argument, "a key must be of visible ASCII characters");
  settings.follow_key = values[0];
  return {};
}

Result<void> set_backup_root(Settings& settings, Values values) {
  if (values[0].empty()) return bad_value(values[0], "a directory");
  settings.backup_root = values[0];
  return {};
}

Result<void> set_bulk_roots(Settings& settings, Values values) {
  for (const std::string& value : values) {
    if (!value.starts_with('/')) return bad_value(value, "an absolute directory");
  }
  return set_list<&Settings::bulk_roots>(settings, values);
}

template <auto member>
Result<void> set_file(Settings& settings, Values values) {
  if (values[0].empty()) return bad_value(values[0], "a file");
  settings.*member = values[0];
  return {};
}

Result<void> set_log_format(Settings& settings, Values values) {
  const auto format = log::parse_format(values[0]);
  if (!format) return bad_value(values[0], "pretty or json");
  settings.log_format = *format;
  return {};
}

Result<void> set_log_level(Settings& settings, Values values) {
  const auto level = log::parse_level(values[0]);
  if (!level) return bad_value(values[0], "debug, info, warning, error or off");
  settings.log_level = *level;
  return {};
}

constexpr uint16_t default_grpc_port = 50'051;

constexpr std::string_view storage = "Storage";
constexpr std::string_view network = "Network";
constexpr std::string_view replication = "Replica";
constexpr std::string_view security = "Security";
constexpr std::string_view limits = "Limits";
constexpr std::string_view logging = "Log";

using S = Settings;
constexpr OptionRow rows[] = {
    {"database", 'D', OptionKind::value, storage, "DIR", "Data directory, created where missing [strata-data]",
     set_database},
    {"engine", 0, OptionKind::value, storage, "NAME", "rocksdb, or memory: gone with the process [rocksdb]",
     set_engine},
    {"durability", 0, OptionKind::value, storage, "MODE",
     "sync: an answered write is on disk; async: within 100 ms [sync]", set_durability},
    {"namespace", 0, OptionKind::list, storage, "NAME", "Create this namespace; repeatable. `default` always exists",
     set_list<&S::namespaces>},
    {"backup-root", 0, OptionKind::value, storage, "DIR", "Where backups of documents may lie [DATABASE/backups]",
     set_backup_root},
    {"bulk-root", 0, OptionKind::list, storage, "DIR",
     "Files of vectors below this directory may be loaded by name; repeatable. None by default", set_bulk_roots},
    {"limits", 0, OptionKind::value, storage, "NAME",
     "Transactions of 64 MiB (embedded), or of 10 MB as a FoundationDB cluster has them [embedded]", set_limits},
    {"block-cache-bytes", 0, OptionKind::value, storage, "N", "Cache of data blocks, filled as they are read [256 MiB]",
     set_integer<&S::block_cache_bytes, 1 << 20, int64_t{1} << 40>},
    {"write-buffer-bytes", 0, OptionKind::value, storage, "N", "Writes kept in memory before a file is made [64 MiB]",
     set_integer<&S::write_buffer_bytes, 1 << 20, int64_t{1} << 36>},
    {"log-segment-bytes", 0, OptionKind::value, storage, "N", "Of a segment of a namespace's log [16 MiB]",
     set_integer<&S::log_segment_bytes, 1 << 10, int64_t{1} << 32>},
    {"log-retention-bytes", 0, OptionKind::value, storage, "N", "Of a namespace's log: beyond it the oldest go [1 GiB]",
     set_integer<&S::log_retention_bytes, 1 << 10, int64_t{1} << 50>},
    {"log-retention-age-hours", 0, OptionKind::value, storage, "N", "Records older than that go [168]",
     set_integer<&S::log_retention_age_hours, 1, 1'000'000>},

    {"bind", 0, OptionKind::value, network, "ADDRESS", "Listen here [127.0.0.1]", set_bind},
    {"port", 'p', OptionKind::value, network, "PORT", "HTTP; 0: a free one [8080]", set_integer<&S::port, 0, 65'535>},
    {"grpc-port", 0, OptionKind::value, network, "PORT", "gRPC; 0: a free one [50051; with port 0: a free one]",
     set_integer<&S::grpc_port, 0, 65'535>},
    {"grpc-tls-cert", 0, OptionKind::value, network, "FILE", "gRPC over TLS with this certificate chain (PEM)",
     set_file<&S::grpc_tls_cert>},
    {"grpc-tls-key", 0, OptionKind::value, network, "FILE", "The private key of that certificate (PEM)",
     set_file<&S::grpc_tls_key>},
    {"io-threads", 0, OptionKind::value, network, "N", "0: one a core [0]", set_integer<&S::io_threads, 0, 256>},

    {"follow", 0, OptionKind::value, replication, "URL", "Be a read-only copy of the server at http[s]://HOST:PORT",
     set_follow},
    {"follow-ca", 0, OptionKind::value, replication, "FILE",
     "Certificates to trust of a leader with https [the system's]", set_file<&S::follow_ca>},
    {"follow-key", 0, OptionKind::secret, replication, "", "", set_follow_key},

    {"auth", 0, OptionKind::value, security, "MODE", "Users and permissions: only false in this version [false]",
     set_auth},
    {"insecure", 0, OptionKind::flag, security, "", "Listen off loopback without keys, for everybody", set_insecure},
    {"api-keys", 0, OptionKind::secret, security, "", "", set_api_keys},

    {"header-timeout-ms", 0, OptionKind::value, limits, "MS", "First byte of a request to its headers' end [10000]",
     set_timeout<&S::header_timeout_ms>},
    {"body-timeout-ms", 0, OptionKind::value, limits, "MS", "Without a byte of the body [30000]",
     set_timeout<&S::body_timeout_ms>},
    {"write-timeout-ms", 0, OptionKind::value, limits, "MS", "Without the client taking a byte [30000]",
     set_timeout<&S::write_timeout_ms>},
    {"keep-alive-timeout-ms", 0, OptionKind::value, limits, "MS", "Idle between requests [75000]",
     set_timeout<&S::keep_alive_timeout_ms>},
    {"request-timeout-ms", 0, OptionKind::value, limits, "MS", "From a request to its answer [60000]",
     set_timeout<&S::request_timeout_ms>},
    {"drain-timeout-ms", 0, OptionKind::value, limits, "MS", "For requests in flight at shutdown [30000]",
     set_timeout<&S::drain_timeout_ms>},
    {"max-connections", 0, OptionKind::value, limits, "N", "Beyond it: 503 [10000]",
     set_integer<&S::max_connections, 1, 1'000'000>},
    {"max-requests-in-flight", 0, OptionKind::value, limits, "N", "Beyond it: 503 [4096]",
     set_integer<&S::max_requests_in_flight, 1, 1'000'000>},
    {"transaction-idle-seconds", 0, OptionKind::value, limits, "S",
     "Of a transaction of several requests: no request for so long ends it [120]",
     set_integer<&S::transaction_idle_seconds, 1, 86'400>},
    {"transaction-age-seconds", 0, OptionKind::value, limits, "S", "So old, it ends in any case [900]",
     set_integer<&S::transaction_age_seconds, 1, 604'800>},
    {"max-object-bytes", 0, OptionKind::value, limits, "N", "Of one large object [1 TiB]",
     set_integer<&S::max_object_bytes, 1, int64_t{1} << 48>},

    {"log-format", 0, OptionKind::value, logging, "FORMAT", "pretty or json, a line an event on stderr [pretty]",
     set_log_format},
    {"log-level", 0, OptionKind::value, logging, "LEVEL", "debug, info, warning, error or off [info]", set_log_level},
};

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

}  // namespace

std::span<const OptionRow> option_rows() { return rows; }

const OptionRow* find_option(std::string_view name) {
  for (const OptionRow& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string environment_name(std::string_view option) {
  std::string name = "STRATA_";
  for (char c : option) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

RawValues read_environment(const std::function<const char*(const char*)>& get) {
  RawValues values;
  for (const OptionRow& row : rows) {
    const char* text = get(environment_name(row.name).c_str());
    // Empty is what a deployment script leaves where it had no value.
    if (text == nullptr || *text == '\0') continue;
    const bool list = row.kind == OptionKind::list || row.kind == OptionKind::secret;
    values[std::string(row.name)] = list ? split(text) : std::vector<std::string>{text};
  }
  // Both names count together, so that a deployment that sets the other one keeps its keys.
  if (const char* text = get("SWARNDB_API_KEYS"); text != nullptr && *text != '\0') {
    auto& keys = values["api-keys"];
    for (std::string& key : split(text)) keys.push_back(std::move(key));
  }
  return values;
}

Result<Settings> resolve(const Sources& sources) {
  Settings settings;
  for (const OptionRow& row : rows) {
    const std::vector<std::string>* values = nullptr;
    std::string where;
    if (auto flag = sources.flags.find(row.name); flag != sources.flags.end()) {
      values = &flag->second;
      where = fmt::format("--{}", row.name);
    } else if (auto variable = sources.environment.find(row.name); variable != sources.environment.end()) {
      values = &variable->second;
      where = environment_name(row.name);
    } else if (auto entry = sources.file.find(row.name); entry != sources.file.end()) {
      values = &entry->second;
      where = fmt::format("{}: {}", sources.file_name, row.name);
    }
    if (values == nullptr) continue;
    if (Result<void> set = row.set(settings, *values); !set.ok()) {
      return Error(ErrorCode::invalid_argument, fmt::format("{}: {}", where, set.error().message()));
    }
  }
  if (!settings.grpc_port) settings.grpc_port = settings.port == 0 ? 0 : default_grpc_port;
  if (settings.grpc_tls_cert.empty() != settings.grpc_tls_key.empty()) {
    return Error(ErrorCode::invalid_argument, "grpc-tls-cert and grpc-tls-key go together; one of them is missing");
  }
  if (settings.port == settings.grpc_port && settings.port != 0) {
    return Error(ErrorCode::invalid_argument, fmt::format("port and grpc-port differ; both are {}", settings.port));
  }
  if (!settings.follow.empty() && !settings.namespaces.empty()) {
    return Error(ErrorCode::invalid_argument, "namespace cannot be set with follow: a replica has those of its leader");
  }
  if (!is_loopback(settings.bind) && settings.api_keys.empty() && !settings.insecure) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("listening on {} would let everybody in: set STRATA_API_KEYS, or add --insecure if that "
                             "is meant",
                             settings.bind));
  }
  return settings;
}

bool is_loopback(std::string_view address) {
  const std::string text(address);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace strata::app
