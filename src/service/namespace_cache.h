// NamespaceCache: which number a name had when somebody last looked.
//
// Purpose:       a read of a key need not read the registry first.
// Ownership:     values.
// Thread safety: any thread; readers share.
// Invariants:    an entry may be out of date: the name may be gone or made anew. It only ever speeds up a guess that
//                the data itself confirms (numbers are never reused, and a removed namespace's keys are cleared); what
//                it does not hold decides nothing. At most max_entries.
#pragma once

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "layers/records/keys.h"

namespace strata::service {

class NamespaceCache {
 public:
  static constexpr size_t max_entries = 10'000;

  std::optional<records::Namespace> find(std::string_view name) const {
    std::shared_lock lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return std::nullopt;
    return found->second;
  }

  void put(std::string_view name, const records::Namespace& space) {
    std::unique_lock lock(mutex_);
    // Dropping all is as good as any policy here: an entry costs one read to get back.
    if (entries_.size() >= max_entries) entries_.clear();
    entries_.insert_or_assign(std::string(name), space);
  }

  void forget(std::string_view name) {
    std::unique_lock lock(mutex_);
    if (const auto found = entries_.find(name); found != entries_.end()) entries_.erase(found);
  }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, records::Namespace, Hash, std::equal_to<>> entries_;
};

}  // namespace strata::service
