// The operations that belong to the server and to no model: health, metrics, the API's description.
//
// Purpose:       probes for orchestrators, /metrics, /openapi.json and /docs. None asks for a key.
// Ownership:     SystemStatus belongs to the program, which tells it how the start goes; handlers borrow it.
// Thread safety: any thread; checks are added before the server starts.
// Invariants:    a probe answers from memory: it never waits for a lock that work holds.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "faces/rest/route.h"

namespace strata::rest {

class SystemStatus {
 public:
  explicit SystemStatus(std::string version);

  // The start is over: /startupz and, while the checks pass, /readyz answer 200.
  void set_started() { started_ = true; }
  bool started() const { return started_; }
  // /readyz shows `name` with "ok" or what the check says is wrong; an empty string is "ok".
  void add_check(std::string name, std::function<std::string()> check);
  // How the data came back at start. Asked at each request; before the server starts.
  struct Recovery {
    // "none", "snapshot_only", "snapshot_plus_wal" or "full_wal_replay"
    std::string path = "none";
    uint64_t elapsed_seconds = 0;
    std::map<std::string, std::string> collections = {};
  };
  void set_recovery(std::function<Recovery()> recovery);
  // What still loads, or why it cannot; an empty string: nothing. /readyz waits for it.
  void set_loading(std::function<std::string()> loading);
  // For /ready.
  void set_collection_counts(std::function<uint64_t()> collections, std::function<uint64_t()> vectors);

  const std::string& version() const { return version_; }
  std::string ready_json() const;
  struct Readiness {
    bool ready = false;
    std::string json;
  };
  Readiness readiness() const;
  std::string recovery_json() const;

 private:
  const std::string version_;
  std::atomic<bool> started_{false};
  std::vector<std::pair<std::string, std::function<std::string()>>> checks_;
  std::function<uint64_t()> collections_;
  std::function<uint64_t()> vectors_;
  std::function<Recovery()> recovery_;
  std::function<std::string()> loading_;
};

std::span<const Route> system_routes();

}  // namespace strata::rest
