#include "engine/rocksdb/testing/simulated_disk.h"

#include <xxhash.h>

#include <algorithm>

namespace strata::kv {
namespace {

using rocksdb::IOStatus;

constexpr uint64_t page_bytes = 4'096;
constexpr uint64_t sector_bytes = 512;

BytesView page_of(BytesView bytes, uint64_t page) {
  const uint64_t offset = page * page_bytes;
  return offset < bytes.size() ? bytes.substr(offset, page_bytes) : BytesView();
}

// Each sector of `before` or of `now`; one that is missing in what is kept reads as zeros.
Bytes torn(BytesView before, BytesView now, Random& random) {
  Bytes out(std::max(before.size(), now.size()), '\0');
  for (uint64_t at = 0; at < out.size(); at += sector_bytes) {
    const BytesView from = random.one_in(2) ? now : before;
    if (at < from.size()) {
      const BytesView sector = from.substr(at, sector_bytes);
      out.replace(at, sector.size(), sector);
    }
  }
  return out;
}

}  // namespace

std::string_view name_of(DiskCall call) {
  static constexpr std::array<std::string_view, disk_call_kinds> names = {
      "open",   "create", "read",           "append",         "sync", "truncate", "close",
      "rename", "remove", "sync_directory", "make_directory", "list", "lock"};
  return names[static_cast<size_t>(call)];
}

std::string SimulatedDisk::parent_of(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : name.substr(0, slash);
}

void SimulatedDisk::Node::touch(uint64_t begin, uint64_t end) {
  for (uint64_t page = begin / page_bytes; page * page_bytes < end; ++page) {
    auto [entry, added] = dirty.try_emplace(page);
    if (added) entry->second.on_disk = page_of(data, page);
    entry->second.dropped = false;
  }
}

void SimulatedDisk::Node::write(uint64_t offset, BytesView bytes) {
  touch(std::min<uint64_t>(offset, data.size()), offset + bytes.size());
  if (data.size() < offset + bytes.size()) data.resize(offset + bytes.size(), '\0');
  data.replace(offset, bytes.size(), bytes);
}

void SimulatedDisk::Node::resize(uint64_t size) {
  touch(std::min<uint64_t>(size, data.size()), std::max<uint64_t>(size, data.size()));
  data.resize(size, '\0');
}

void SimulatedDisk::Node::synced() {
  std::erase_if(dirty, [](const auto& entry) { return !entry.second.dropped; });
  synced_size = data.size();
}

void SimulatedDisk::Node::failed_sync() {
  for (auto& [page, entry] : dirty) entry.dropped = true;
}

Bytes SimulatedDisk::Node::after_cut(Random& random, double kept) const {
  Bytes out = data;
  out.resize(std::max<uint64_t>(data.size(), synced_size), '\0');
  uint64_t last_kept = synced_size;
  for (const auto& [page, entry] : dirty) {
    const BytesView now = page_of(data, page);
    const bool keep = random.fraction() < kept;
    if (keep && !random.one_in(4)) {
      last_kept = std::max<uint64_t>(last_kept, page * page_bytes + now.size());
      continue;
    }
    Bytes then = keep ? torn(entry.on_disk, now, random) : entry.on_disk;
    if (keep) last_kept = std::max<uint64_t>(last_kept, page * page_bytes + then.size());
    if (page * page_bytes >= out.size()) continue;
    then.resize(std::min<uint64_t>(page_bytes, out.size() - page * page_bytes), '\0');
    out.replace(page * page_bytes, then.size(), then);
  }
  uint64_t size = synced_size;
  if (data.size() < synced_size && random.fraction() < kept) size = data.size();
  if (data.size() > synced_size) {
    size = last_kept;
    if (kept > 0 && random.one_in(4)) size = data.size();
    if (random.one_in(4)) size = synced_size;
  }
  out.resize(size, '\0');
  return out;
}

SimulatedDisk::NodePointer SimulatedDisk::directory_node() {
  auto node = std::make_shared<Node>();
  node->is_directory = true;
  return node;
}

std::shared_ptr<SimulatedDisk> SimulatedDisk::killed() const {
  auto disk = std::make_shared<SimulatedDisk>();
  std::lock_guard lock(mutex_);
  // Unsynced pages and names stay so: the power may go later.
  std::map<const Node*, NodePointer> copies;
  const auto copy_of = [&](const NodePointer& node) -> NodePointer {
    if (!node) return nullptr;
    NodePointer& copy = copies[node.get()];
    if (!copy) copy = std::make_shared<Node>(*node);
    return copy;
  };
  disk->names_.clear();
  disk->durable_names_.clear();
  for (const auto& [name, node] : names_) disk->names_[name] = copy_of(node);
  for (const auto& [name, node] : durable_names_) disk->durable_names_[name] = copy_of(node);
  for (const NameChange& change : name_changes_) {
    disk->name_changes_.push_back({change.name, copy_of(change.node), change.from});
  }
  return disk;
}

std::shared_ptr<SimulatedDisk> SimulatedDisk::cut_power(uint64_t seed) const {
  Random random(seed);
  auto disk = std::make_shared<SimulatedDisk>();
  // A third of the cuts lose all that was not synced.
  const double kept = random.one_in(3) ? 0.0 : random.fraction();
  // A journal keeps the order of names; nothing promises it.
  const bool in_order = random.one_in(2);
  std::lock_guard lock(mutex_);
  Names names = durable_names_;
  for (const NameChange& change : name_changes_) {
    if (random.fraction() >= kept) {
      if (in_order) break;
      continue;
    }
    if (!change.from.empty()) names.erase(change.from);
    if (change.node) names[change.name] = change.node;
    if (!change.node) names.erase(change.name);
  }
  disk->names_.clear();
  for (const auto& [name, node] : names) {
    // Parents sort before what they hold.
    const auto parent = disk->names_.find(parent_of(name));
    if (name != "/" && (parent == disk->names_.end() || !parent->second->is_directory)) continue;
    auto copy = std::make_shared<Node>();
    copy->is_directory = node->is_directory;
    copy->data = node->after_cut(random, kept);
    copy->synced_size = copy->data.size();
    disk->names_[name] = std::move(copy);
  }
  disk->durable_names_ = disk->names_;
  return disk;
}

void SimulatedDisk::fail(const DiskFault& fault) {
  std::lock_guard lock(mutex_);
  fault_ = fault;
  has_fault_ = true;
  matching_calls_ = failures_ = 0;
}

void SimulatedDisk::heal() {
  std::lock_guard lock(mutex_);
  has_fault_ = false;
}

int64_t SimulatedDisk::failures() const {
  std::lock_guard lock(mutex_);
  return failures_;
}

std::string SimulatedDisk::failed_name() const {
  std::lock_guard lock(mutex_);
  return failed_name_;
}

int64_t SimulatedDisk::calls() const {
  std::lock_guard lock(mutex_);
  return matching_calls_;
}

void SimulatedDisk::limit_space(int64_t bytes) {
  std::lock_guard lock(mutex_);
  space_ = bytes;
}

void SimulatedDisk::flip_bit(const std::string& name, uint64_t offset) {
  std::lock_guard lock(mutex_);
  names_.at(name)->data.at(offset) ^= 1;
}

int64_t SimulatedDisk::used_space() const {
  std::lock_guard lock(mutex_);
  return used_space_locked();
}

int64_t SimulatedDisk::used_space_locked() const {
  size_t bytes = 0;
  for (const auto& [name, node] : names_) bytes += node->data.size();
  return static_cast<int64_t>(bytes);
}

uint64_t SimulatedDisk::fingerprint() const {
  std::lock_guard lock(mutex_);
  uint64_t hash = 0;
  for (const auto& [name, node] : names_) {
    hash = XXH3_64bits_withSeed(name.data(), name.size(), hash);
    hash = XXH3_64bits_withSeed(node->data.data(), node->data.size(), hash);
  }
  return hash;
}

void SimulatedDisk::watch_changes(std::function<void(int64_t number)> hook) {
  std::lock_guard lock(hook_mutex_);
  hook_ = std::move(hook);
}

IOStatus SimulatedDisk::begin(DiskCall call, const std::string& name, bool changes) {
  std::unique_lock hook_lock(hook_mutex_, std::defer_lock);
  if (changes) hook_lock.lock();
  IOStatus status;
  {
    std::lock_guard lock(mutex_);
    if (has_fault_ && fault_.call == call && name.find(fault_.name_part) != std::string::npos) {
      ++matching_calls_;
      if (matching_calls_ >= fault_.nth && (fault_.times < 0 || matching_calls_ < fault_.nth + fault_.times)) {
        ++failures_;
        failed_name_ = name;
        const std::string what = "injected failure to " + std::string(name_of(call)) + " " + name;
        status = fault_.no_space ? IOStatus::NoSpace(what, "No space left on device")
                                 : IOStatus::IOError(what, "Input/output error");
        // As RocksDB's own file system has it.
        if (fault_.no_space) status.SetRetryable(true);
      }
    }
  }
  if (changes && ++changes_ && hook_) hook_(changes_);
  return status;
}

IOStatus SimulatedDisk::append(const std::string& name, Node& node, BytesView bytes, uint64_t offset) {
  IOStatus status = begin(DiskCall::append, name, true);
  std::lock_guard lock(mutex_);
  const int64_t grows = static_cast<int64_t>(offset + bytes.size()) - static_cast<int64_t>(node.data.size());
  if (status.ok() && space_ >= 0 && grows > 0 && used_space_locked() + grows > space_) {
    status = IOStatus::NoSpace("injected failure to append " + name, "No space left on device");
    status.SetRetryable(true);
  }
  node.write(offset, status.ok() ? bytes : bytes.substr(0, bytes.size() / 2));
  return status;
}

IOStatus SimulatedDisk::find(const std::string& name, NodePointer* node) const {
  std::lock_guard lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end()) return IOStatus::PathNotFound(name, "No such file or directory");
  *node = found->second;
  return IOStatus::OK();
}

void SimulatedDisk::link(const std::string& name, NodePointer node, const std::string& from) {
  if (!from.empty()) names_.erase(from);
  if (node) {
    names_[name] = node;
  } else {
    names_.erase(name);
  }
  name_changes_.push_back({name, std::move(node), from});
}

}  // namespace strata::kv
