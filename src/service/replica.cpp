#include "service/replica.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/percent.h"
#include "layers/records/namespaces.h"
#include "service/leader_records.h"

namespace strata::service {
namespace {

constexpr size_t list_page = 1'000;
constexpr size_t max_list_page_bytes = 1u << 20;
// Polls come each second: after this the leader is not just slow.
constexpr int64_t silence_us = 3'000'000;

// Every name of the store, in pages.
template <class Visit>
Result<void> visit_names(const kv::Database& database, Visit visit) {
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const auto page, database.read([&](const kv::ReadTransaction& transaction) {
      return records::list_namespaces(transaction, after, list_page);
    }));
    for (const auto& entry : page) RETURN_IF_ERROR(visit(entry));
    if (page.size() < list_page) return {};
    after = page.back().name;
  }
}

}  // namespace

Replica::Replica(const kv::Database& database, LogSignal& signal, Objects& objects, const ReplicaOptions& options)
    : database_(database), signal_(signal), objects_(objects), options_(options) {}

Replica::~Replica() { stop(); }

Result<void> Replica::open() {
  ASSIGN_OR_RETURN(const auto role, database_.read([](const kv::ReadTransaction& transaction) {
    return records::read_store_role(transaction);
  }));
  was_promoted_ = role && role->role == records::StoreRole::promoted;
  const bool is_replica = role && role->role == records::StoreRole::replica;
  if (options_.leader.url.empty()) {
    if (!is_replica) return {};
    return Error(ErrorCode::precondition_failed,
                 "the store is a replica: start it with --follow URL; POST /replica/promote then makes it take writes");
  }
  if (was_promoted_) {
    return Error(ErrorCode::precondition_failed,
                 "the store was promoted and has a history of its own: a replica begins in an empty directory");
  }
  RETURN_IF_ERROR(validate_leader_url(options_.leader.url));
  if (!is_replica) RETURN_IF_ERROR(begin_as_replica());
  read_only_ = true;
  return load_progress();
}

Result<void> Replica::begin_as_replica() {
  RETURN_IF_ERROR(visit_names(database_, [&](const records::NamedNamespace& entry) -> Result<void> {
    ASSIGN_OR_RETURN(const bool empty, database_.read([&](const kv::ReadTransaction& transaction) {
      return records::is_empty(transaction, entry.space);
    }));
    if (empty) return {};
    return Error(ErrorCode::precondition_failed,
                 fmt::format("the store holds data of its own (namespace {}): a replica begins in an empty directory",
                             entry.name));
  }));
  return write_role(records::StoreRole::replica);
}

Result<void> Replica::write_role(records::StoreRole role) {
  return database_.run([&](kv::Transaction& transaction) -> Result<void> {
    transaction.set_durability(kv::Durability::sync);
    records::write_store_role(transaction, {.role = role, .since_us = options_.clock->wall_us()});
    return {};
  });
}

Result<void> Replica::load_progress() {
  return visit_names(database_, [&](const records::NamedNamespace& entry) -> Result<void> {
    ASSIGN_OR_RETURN(auto row, database_.read([&](const kv::ReadTransaction& transaction) {
      return records::read_follow_row(transaction, entry.space);
    }));
    std::unique_lock lock(mutex_);
    progress_.emplace(entry.name, std::make_shared<ReplicaProgress>(entry.name, *options_.clock, std::move(row)));
    return {};
  });
}

Result<void> Replica::start() {
  if (!is_read_only()) return {};
  ASSIGN_OR_RETURN(client_, LeaderClient::create(options_.leader));
  shared_.reset(new ReplicaShared{.store = {database_, *options_.clock, options_.durability},
                                  .leader = *client_,
                                  .signal = signal_,
                                  .objects = objects_,
                                  .segment_bytes = options_.segment_bytes,
                                  .limits = options_.limits});
  {
    std::unique_lock lock(mutex_);
    heard_us_ = options_.clock->steady_us();
  }
  thread_ = std::make_unique<CoroutineThread>();
  thread_->start([this] { lead(); });
  log::info("following", {{"leader", leader_url()}});
  return {};
}

void Replica::stop() {
  gate_.end();
  if (client_) client_->stop();
  thread_.reset();
}

void Replica::lead() {
  do {
    note_poll(poll());
  } while (gate_.pause(options_.limits.poll_interval_us));
  end_followers();
  ended_.fulfil(Result<void>());
}

void Replica::end_followers() {
  for (const auto& [name, follower] : followers_) follower->end();
  for (const auto& [name, follower] : followers_) {
    if (!follower->has_ended()) static_cast<void>(follower->ended().get());
  }
}

Result<void> Replica::poll() {
  ASSIGN_OR_RETURN(const std::vector<LeaderNamespace> listed, list_leader());
  RETURN_IF_ERROR(end_others(listed));
  for (const LeaderNamespace& name_space : listed) follow(name_space);
  shared_->followers = followers_.size();
  return {};
}

Result<std::vector<LeaderNamespace>> Replica::list_leader() {
  std::vector<LeaderNamespace> listed;
  for (;;) {
    const size_t before = listed.size();
    const std::string after = listed.empty() ? "" : "&after=" + percent_encode(listed.back().name);
    ASSIGN_OR_RETURN(Bytes body,
                     client_->whole(fmt::format("/api/v1?limit={}{}", list_page, after), max_list_page_bytes));
    RETURN_IF_ERROR(parse_leader_namespaces(std::move(body), listed));
    if (listed.size() > options_.max_namespaces) {
      return Error(ErrorCode::unavailable,
                   fmt::format("the leader has more than {} namespaces", options_.max_namespaces));
    }
    if (listed.size() - before < list_page) return listed;
  }
}

void Replica::follow(const LeaderNamespace& name_space) {
  if (const auto found = followers_.find(name_space.name); found != followers_.end()) {
    found->second->expect(name_space.log_id);
    return;
  }
  std::shared_ptr<ReplicaProgress> progress;
  {
    std::unique_lock lock(mutex_);
    auto& known = progress_[name_space.name];
    if (!known) known = std::make_shared<ReplicaProgress>(name_space.name, *options_.clock, std::nullopt);
    progress = known;
  }
  auto follower = std::make_unique<ReplicaFollower>(*shared_, std::move(progress), name_space.log_id);
  ReplicaFollower* running = follower.get();
  followers_.emplace(name_space.name, std::move(follower));
  thread_->start([running] { running->run(); });
}

// Namespaces that the leader has no more: first their followers, then their data.
Result<void> Replica::end_others(const std::vector<LeaderNamespace>& listed) {
  const auto is_listed = [&](std::string_view name) {
    const auto found =
        std::lower_bound(listed.begin(), listed.end(), name,
                         [](const LeaderNamespace& entry, std::string_view key) { return entry.name < key; });
    return found != listed.end() && found->name == name;
  };
  for (auto next = followers_.begin(); next != followers_.end();) {
    const auto follower = next++;
    if (is_listed(follower->first)) continue;
    // It may be in the middle of something; the next poll finds it ended.
    follower->second->end();
    if (follower->second->has_ended()) followers_.erase(follower);
  }
  std::vector<std::string> gone;
  {
    std::shared_lock lock(mutex_);
    for (const auto& [name, progress] : progress_) {
      if (!is_listed(name) && followers_.find(name) == followers_.end()) gone.push_back(name);
    }
  }
  for (const std::string& name : gone) {
    ASSIGN_OR_RETURN(const bool removed, remove_followed(shared_->store, name));
    forget(name);
    if (removed) log::info("a namespace was deleted, as at the leader", {{"namespace", name}});
  }
  return {};
}

void Replica::forget(const std::string& name) {
  std::unique_lock lock(mutex_);
  progress_.erase(name);
}

void Replica::note_poll(const Result<void>& polled) {
  const std::string error(polled.ok() ? "" : polled.error().message());
  bool came_back = false;
  {
    std::unique_lock lock(mutex_);
    came_back = polled.ok() && !connected_;
    connected_ = polled.ok();
    if (polled.ok()) heard_us_ = options_.clock->steady_us();
    if (error == error_) return;
    error_ = error;
  }
  if (gate_.ended()) return;
  if (!error.empty()) log::warning("the leader cannot be followed", {{"leader", leader_url()}, {"error", error}});
  if (!came_back) return;
  log::info("the leader is there again", {{"leader", leader_url()}});
  for (const auto& [name, follower] : followers_) follower->retry();
}

int64_t Replica::silent_us() const {
  const int64_t silent = options_.clock->steady_us() - heard_us_;
  return silent > silence_us ? silent : 0;
}

std::optional<ReplicaProgress::Position> Replica::position(std::string_view name_space) const {
  if (!is_read_only()) return std::nullopt;
  std::shared_lock lock(mutex_);
  const auto found = progress_.find(name_space);
  if (found == progress_.end()) return std::nullopt;
  return found->second->position(silent_us());
}

ReplicaStatus Replica::status(std::string_view after, size_t limit) const {
  ReplicaStatus status{.is_replica = is_read_only(), .was_promoted = was_promoted_, .leader = leader_url()};
  std::shared_lock lock(mutex_);
  if (!status.is_replica) return status;
  // A poll that does not come back is no connection either.
  status.connected = connected_ && silent_us() == 0;
  status.error = error_;
  for (auto next = progress_.upper_bound(after); next != progress_.end(); ++next) {
    if (status.namespaces.size() == limit) {
      status.more = true;
      break;
    }
    status.namespaces.push_back(next->second->status(silent_us()));
  }
  return status;
}

Result<void> Replica::promote(const Context&) {
  if (was_promoted_) return {};
  if (!is_read_only()) return Error(ErrorCode::invalid_argument, "this server follows no leader");
  if (promoting_.exchange(true)) return Error(ErrorCode::already_exists, "the replica is being promoted already");
  // Nothing is applied any more once the followers have ended; what they applied is as durable as this commit.
  if (!gate_.ended()) {
    gate_.end();
    client_->stop();
    static_cast<void>(ended_.future().get());
  }
  const Result<void> written = write_role(records::StoreRole::promoted);
  if (written.ok()) {
    was_promoted_ = true;
    read_only_.store(false, std::memory_order_release);
    log::info("promoted: writes are taken from now on", {{"leader", leader_url()}});
  }
  promoting_ = false;
  return written;
}

}  // namespace strata::service
