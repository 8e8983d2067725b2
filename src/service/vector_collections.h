// VectorCollections: all collections of this server, how they come back at a start, and what is done for them in the
// background.
//
// Purpose:       names lead to VectorCollections; views are recovered from images and the log, or built from the keys;
//                images are written when enough has changed.
// Ownership:     borrows the database and the clock; owns the threads.
// Thread safety: any thread.
// Invariants:    a collection under its name is the one that the registry's row names. Images are written for ready
//                collections alone, and removed with them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "service/periodic_task.h"
#include "service/vector_collection.h"
#include "service/vector_workers.h"
#include "service/vectors.h"

namespace strata::service {

class VectorCollections {
 public:
  VectorCollections(const kv::Database& database, const VectorsOptions& options);
  // As a kill: without images.
  ~VectorCollections() { halt(); }

  Result<void> open();
  // Writes the last images.
  void stop();

  // Ready. not_found; unavailable (not by the deadline); why it could not be recovered.
  Result<std::shared_ptr<VectorCollection>> find(const Context& context, std::string_view name);
  Result<std::shared_ptr<VectorCollection>> make(const Context& context, std::string_view name,
                                                 const vectors::CollectionOptions& options);
  Result<void> drop(const Context& context, std::string_view name);
  std::vector<std::shared_ptr<VectorCollection>> all() const;
  uint64_t lookups() const { return lookups_.load(std::memory_order_relaxed); }

  // Writes an image of what is there now, if anything changed since the last; its LSN.
  Result<uint64_t> write_image(VectorCollection& collection);
  // Of every collection where enough has changed.
  void run_pass();

  // How the last start went.
  RecoveryStatus recovery_status() const;

  const kv::Database& database() const { return database_; }
  const VectorsOptions& options() const { return options_; }

 private:
  void halt();
  std::shared_ptr<VectorCollection> hold(vectors::Collection row) const;
  Result<void> attach_empty_view(VectorCollection& collection);
  std::unique_ptr<VectorWriter> make_writer(const vectors::Collection& row, const std::shared_ptr<VectorView>& view);
  void recover_all(std::vector<std::shared_ptr<VectorCollection>> collections);
  Result<RecoveryPath> recover(const std::shared_ptr<VectorCollection>& collection);
  Result<bool> recover_from_image(const std::shared_ptr<VectorCollection>& collection, const vectors::ImageRow& row);
  Result<void> rebuild(const std::shared_ptr<VectorCollection>& collection);
  Result<void> load_deferrals(VectorCollection& collection);
  Result<void> load_thresholds(VectorCollection& collection);
  Result<bool> is_whole(VectorCollection& collection);
  void remove_strangers();

  const kv::Database& database_;
  const VectorsOptions options_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::shared_ptr<VectorCollection>, std::less<>> collections_;
  mutable std::atomic<uint64_t> lookups_{0};
  int64_t open_us_ = 0;
  std::atomic<int64_t> recovered_us_{0};
  std::vector<std::pair<std::string, std::shared_ptr<VectorCollection>>> found_at_start_;
  std::atomic<bool> stopping_{false};
  VectorWorkers workers_;
  std::thread recovery_;
  PeriodicTask passes_;
};

}  // namespace strata::service
