#include "service/file_system.h"

#include <algorithm>

#include "service/file_writer.h"

namespace strata::service {

FileSystem::FileSystem(const kv::Database& database, const FileSystemOptions& options)
    : database_(database), options_(options), cache_(options.node_cache_bytes) {}

FileSystem::~FileSystem() = default;

int64_t FileSystem::new_version_ms() {
  std::lock_guard lock(mutex_);
  return last_version_ms_ = std::max(now_ms(), last_version_ms_ + 1);
}

std::shared_ptr<FileWriter> FileSystem::writer(std::string_view branch) {
  std::lock_guard lock(mutex_);
  const auto known = writers_.find(branch);
  if (known != writers_.end()) {
    if (std::shared_ptr<FileWriter> writer = known->second.lock()) return writer;
  }
  // Names come from outside: those that nobody uses any more are forgotten.
  std::erase_if(writers_, [](const auto& entry) { return entry.second.expired(); });
  auto writer = std::make_shared<FileWriter>(*this, std::string(branch));
  writers_.emplace(branch, writer);
  return writer;
}

bool FileSystem::is_regular(const Hash& file_record) const {
  std::lock_guard lock(mutex_);
  return regular_.contains(file_record);
}

void FileSystem::set_regular(const Hash& file_record) {
  std::lock_guard lock(mutex_);
  if (regular_.size() >= max_regular) regular_.clear();
  regular_.insert(file_record);
}

}  // namespace strata::service
