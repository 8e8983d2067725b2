// VectorCollection: one collection as the service holds it: its row, its view, its writer.
//
// Purpose:       a collection is found once by its name; then everybody works on this.
// Ownership:     shared by who works on it; borrows the database. Owns view and writer, which are there once it is
//                ready.
// Thread safety: any thread.
// Invariants:    ready once, and never unready again; a collection that could not be recovered says why to everybody.
//                One that was dropped goes on answering those who hold it, and is written no more.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "service/context.h"
#include "service/vector_view.h"
#include "service/vector_writer.h"

namespace strata::service {

class VectorCollection {
 public:
  VectorCollection(vectors::Collection row, std::string directory)
      : row_(std::move(row)), directory_(std::move(directory)), default_threshold_(row_.options.default_threshold) {}

  const vectors::Collection& row() const { return row_; }
  const std::string& name() const { return row_.name; }
  // Of its virtual graph; row() tells the one from when it was opened.
  float default_threshold() const { return default_threshold_; }
  void set_default_threshold(float threshold) { default_threshold_ = threshold; }
  uint32_t dimension() const { return row_.options.dimension; }
  // Of its images and its graph's rows; empty: none.
  const std::string& directory() const { return directory_; }

  // Waits until it is recovered; unavailable: not by the deadline.
  Result<void> wait_until_ready(const Context& context, const Clock& clock);
  // Whether and how the recovery ended; nullopt: not yet.
  std::optional<Result<void>> readiness() const;
  // Before it is ready, by who recovers or makes it; perhaps again, where the first view turned out wrong.
  void attach(std::shared_ptr<VectorView> view, std::unique_ptr<VectorWriter> writer);
  void set_ready(RecoveryPath path);
  void set_failed(const Error& error);
  RecoveryPath recovery_path() const { return recovery_path_.load(); }

  // Of one that is ready.
  VectorView& view() { return *view_; }
  const VectorView& view() const { return *view_; }
  VectorWriter& writer() { return *writer_; }
  const VectorWriter& writer() const { return *writer_; }
  bool is_dropped() const { return dropped_.load(); }
  // Of one that is ready.
  void set_dropped() {
    dropped_ = true;
    if (view_) view_->abandon();
  }

  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> writes{0};
  std::atomic<bool> optimizing{false};
  // One image at a time; what it is about is guarded by it.
  std::mutex image_mutex;
  std::atomic<uint64_t> image_lsn{0};
  uint64_t image_number = 0;

 private:
  const vectors::Collection row_;
  const std::string directory_;
  std::atomic<float> default_threshold_;
  std::shared_ptr<VectorView> view_;
  std::unique_ptr<VectorWriter> writer_;
  std::atomic<RecoveryPath> recovery_path_{RecoveryPath::none};
  std::atomic<bool> dropped_{false};
  std::atomic<bool> is_ready_{false};
  mutable std::mutex mutex_;
  std::optional<Error> failed_;
  std::vector<std::shared_ptr<Promise<void>>> waiting_;
};

}  // namespace strata::service
