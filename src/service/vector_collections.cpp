#include "service/vector_collections.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/random.h"
#include "service/run.h"
#include "service/vector_checks.h"
#include "service/vector_image.h"

namespace strata::service {
namespace {

constexpr int64_t pass_interval_ms = 2'000;
constexpr size_t page_rows = 100;
// An image is written when that much of the log would have to be replayed: replaying costs about as much as the writes.
constexpr uint64_t least_changes = 20'000;

}  // namespace

VectorCollections::VectorCollections(const kv::Database& database, const VectorsOptions& options)
    : database_(database), options_(options), workers_(options.threads) {}

Result<void> VectorCollections::open() {
  open_us_ = options_.clock->steady_us();
  std::vector<std::shared_ptr<VectorCollection>> found;
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(auto page, database_.read([&](const kv::ReadTransaction& transaction) {
      return vectors::list_collections(transaction, after, page_rows);
    }));
    for (vectors::Collection& row : page) {
      after = row.name;
      const auto& collection = found.emplace_back(hold(std::move(row)));
      found_at_start_.emplace_back(collection->name(), collection);
      std::unique_lock lock(mutex_);
      collections_.insert_or_assign(collection->name(), collection);
    }
    if (page.size() < page_rows) break;
  }
  remove_strangers();
  recovery_ = std::thread([this, found = std::move(found)]() mutable { recover_all(std::move(found)); });
  if (!options_.read_only) passes_.start(pass_interval_ms, [this] { run_pass(); });
  return {};
}

void VectorCollections::halt() {
  stopping_ = true;
  passes_.stop();
  if (recovery_.joinable()) recovery_.join();
  workers_.stop();
}

void VectorCollections::stop() {
  halt();
  if (options_.read_only || options_.directory.empty()) return;
  for (const auto& collection : all()) {
    const auto readiness = collection->readiness();
    if (!readiness || !readiness->ok()) continue;
    if (const auto written = write_image(*collection); !written.ok()) {
      log::warning("a collection has no image of its last changes",
                   {{"collection", collection->name()}, {"error", written.error().message()}});
    }
  }
}

std::shared_ptr<VectorCollection> VectorCollections::hold(vectors::Collection row) const {
  std::string directory;
  if (!options_.directory.empty()) directory = fmt::format("{}/{}", options_.directory, row.number);
  return std::make_shared<VectorCollection>(std::move(row), std::move(directory));
}

Result<void> VectorCollections::attach_empty_view(VectorCollection& collection) {
  const std::string& directory = collection.directory();
  if (!directory.empty()) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) return Error(ErrorCode::io_error, fmt::format("cannot create {}: {}", directory, error.message()));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<VectorView> view, VectorView::create(collection.row(), directory));
  auto writer = make_writer(collection.row(), view);
  collection.attach(std::move(view), std::move(writer));
  return {};
}

std::unique_ptr<VectorWriter> VectorCollections::make_writer(const vectors::Collection& row,
                                                             const std::shared_ptr<VectorView>& view) {
  return std::make_unique<VectorWriter>(database_, *options_.clock, row, *view, [this, weak = std::weak_ptr(view)] {
    if (const auto found = weak.lock(); found && found->pending() > 0) workers_.schedule(found);
  });
}

Result<std::shared_ptr<VectorCollection>> VectorCollections::find(const Context& context, std::string_view name) {
  std::shared_ptr<VectorCollection> collection;
  {
    lookups_.fetch_add(1, std::memory_order_relaxed);
    std::shared_lock lock(mutex_);
    const auto found = collections_.find(name);
    if (found != collections_.end()) collection = found->second;
  }
  if (collection == nullptr) return no_such_collection(name);
  RETURN_IF_ERROR(collection->wait_until_ready(context, *options_.clock));
  return collection;
}

std::vector<std::shared_ptr<VectorCollection>> VectorCollections::all() const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<VectorCollection>> all;
  all.reserve(collections_.size());
  for (const auto& [name, collection] : collections_) all.push_back(collection);
  return all;
}

Result<std::shared_ptr<VectorCollection>> VectorCollections::make(const Context& context, std::string_view name,
                                                                  const vectors::CollectionOptions& options) {
  const int64_t wall_us = options_.clock->wall_us();
  const uint64_t nonce = read_le64(secure_random_bytes(8));
  ASSIGN_OR_RETURN(
      auto row, run_transaction(database_, context, *options_.clock, options_.durability,
                                [&](kv::Transaction& transaction) -> Result<std::optional<vectors::Collection>> {
                                  ASSIGN_OR_RETURN(
                                      auto made, vectors::make_collection(transaction, name, options, wall_us, nonce));
                                  if (made || !transaction.unknown_since()) return made;
                                  // An attempt whose outcome was not told did come through, or it was somebody else.
                                  ASSIGN_OR_RETURN(auto found, vectors::find_collection(transaction, name));
                                  if (found && found->nonce != nonce) found.reset();
                                  return found;
                                }));
  if (!row) {
    return Error(ErrorCode::already_exists, fmt::format("collection '{}' already exists", name));
  }
  const auto collection = hold(*std::move(row));
  RETURN_IF_ERROR(attach_empty_view(*collection));
  collection->set_ready(RecoveryPath::none);
  std::unique_lock lock(mutex_);
  auto& place = collections_[collection->name()];
  // Of two that are made and dropped by turns, the later number is the one that is there.
  if (place == nullptr || place->row().number < collection->row().number) place = collection;
  return collection;
}

Result<void> VectorCollections::drop(const Context& context, std::string_view name) {
  ASSIGN_OR_RETURN(const auto dropped, run_transaction(database_, context, *options_.clock, options_.durability,
                                                       [&](kv::Transaction& transaction) {
                                                         return vectors::drop_collection(transaction, name);
                                                       }));
  if (!dropped) return no_such_collection(name);
  std::shared_ptr<VectorCollection> collection;
  {
    std::unique_lock lock(mutex_);
    const auto found = collections_.find(name);
    if (found == collections_.end() || found->second->row().number != dropped->number) return {};
    collection = found->second;
    collections_.erase(found);
  }
  // A recovery that runs ends first: it uses the directory.
  static_cast<void>(collection->wait_until_ready({}, *options_.clock).ok());
  collection->set_dropped();
  std::lock_guard lock(collection->image_mutex);
  std::error_code ignored;
  if (!collection->directory().empty()) std::filesystem::remove_all(collection->directory(), ignored);
  return {};
}

// Directories of collections that are no more.
void VectorCollections::remove_strangers() {
  if (options_.directory.empty() || options_.read_only) return;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool known = std::ranges::any_of(
        all(), [&](const auto& collection) { return std::to_string(collection->row().number) == name; });
    if (!known) std::filesystem::remove_all(entry.path(), ignored);
  }
}

Result<uint64_t> VectorCollections::write_image(VectorCollection& collection) {
  std::lock_guard lock(collection.image_mutex);
  const uint64_t current = collection.view().applied_lsn();
  const bool on_disk = !collection.directory().empty();
  if (collection.is_dropped() || options_.read_only) return collection.image_lsn.load();
  if (current == collection.image_lsn && (!on_disk || collection.image_number != 0 || current == 0)) return current;
  vectors::ImageRow row{.lsn = current};
  if (on_disk) {
    ASSIGN_OR_RETURN(ViewImage image, collection.view().begin_image());
    row = {.lsn = image.lsn, .image = collection.image_number + 1};
    RETURN_IF_ERROR(service::write_image(collection.directory(), collection.row(), row.image, std::move(image)));
  }
  // Synced: with it everything that the image shows is on disk, also what was written without a sync.
  RETURN_IF_ERROR(run_transaction(database_, {}, *options_.clock, kv::Durability::sync,
                                  [&](kv::Transaction& transaction) -> Result<void> {
                                    const Bytes key = vectors::collection_names.name_key(collection.name());
                                    ASSIGN_OR_RETURN(const auto found, transaction.get(key).get());
                                    if (!found || !vectors::is_row_of(collection.row(), *found)) {
                                      return no_such_collection(collection.name());
                                    }
                                    vectors::set_image_row(transaction, collection.row(), row);
                                    return {};
                                  }));
  collection.image_lsn = row.lsn;
  collection.image_number = row.image;
  if (on_disk) remove_other_images(collection.directory(), row.image);
  return row.lsn;
}

void VectorCollections::run_pass() {
  for (const auto& collection : all()) {
    if (stopping_) return;
    const auto readiness = collection->readiness();
    if (!readiness || !readiness->ok()) continue;
    const VectorView& view = collection->view();
    const uint64_t changed = view.applied_lsn() - collection->image_lsn;
    if (changed < std::max<uint64_t>(least_changes, view.size() / 4)) continue;
    const auto written = write_image(*collection);
    Result<void> done;
    if (written.ok()) {
      // What the image shows needs no log.
      done = run_transaction(database_, {}, *options_.clock, options_.durability,
                             [&](kv::Transaction& transaction) -> Result<void> {
                               vectors::clear_log(transaction, collection->row(), *written);
                               return {};
                             });
    } else {
      done = written.error();
    }
    if (!done.ok()) {
      log::warning("an image of a collection was not written",
                   {{"collection", collection->name()}, {"error", done.error().message()}});
    }
  }
}

RecoveryStatus VectorCollections::recovery_status() const {
  RecoveryStatus status;
  const int64_t end_us = recovered_us_ != 0 ? recovered_us_.load() : options_.clock->steady_us();
  status.elapsed_seconds = static_cast<uint64_t>(end_us - open_us_) / 1'000'000;
  for (const auto& [name, collection] : found_at_start_) {
    if (collection->is_dropped()) continue;
    status.collections.push_back({name, collection->recovery_path()});
    status.path = std::max(status.path, collection->recovery_path());
  }
  return status;
}

}  // namespace strata::service
