#include "service/document_backups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <tuple>

#include "blobs/s3_store.h"
#include "service/document_internals.h"

namespace strata::service {
namespace {

constexpr size_t max_id_bytes = 128;
constexpr std::string_view file_scheme = "file://";
constexpr std::string_view s3_scheme = "s3://";

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Result<void> validate_id(std::string_view id) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const auto is_legal = [&](char c) { return is_word(c) || c == '.'; };
  if (!id.empty() && id.size() <= max_id_bytes && is_word(id[0]) && std::ranges::all_of(id, is_legal)) return {};
  return invalid(
      fmt::format("backup_id must be 1 to {} letters, digits, '.', '_' and '-', the first no '.'", max_id_bytes));
}

// The client's fault as far as it can tell: it named the backup.
Error told(const Error& error) {
  return error.code() == ErrorCode::corruption ? invalid(std::string(error.message())) : error;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

std::string arguments_of(const DocumentBackupRequest& request, std::span<const std::string> tables) {
  std::string json = fmt::format(R"({{"backup_id":{},"location":{},"tables":[)", json_text(request.id),
                                 json_text(printable(request.location)));
  for (const std::string& table : tables) json += (json.back() == '[' ? "" : ",") + json_text(table);
  return json + "]}";
}

}  // namespace

DocumentBackups::DocumentBackups(const kv::Database& database, Tasks& tasks, const DocumentBackupsOptions& options)
    : database_(database), tasks_(tasks), options_(options), files_(options.root) {}

Result<DocumentBackups::Place> DocumentBackups::place_of(std::string_view location) const {
  Place place;
  if (location.starts_with(s3_scheme)) {
    location.remove_prefix(s3_scheme.size());
    place.bucket = location.substr(0, location.find('/'));
    RETURN_IF_ERROR(blobs::validate_bucket_name(place.bucket));
    location.remove_prefix(std::min(location.size(), place.bucket.size() + 1));
    while (location.ends_with('/')) location.remove_suffix(1);
    if (location.empty()) return place;
    RETURN_IF_ERROR(blobs::validate_blob_name(location));
    // What is put behind it has to fit.
    if (location.size() > 512) return invalid("location: the prefix is longer than 512 bytes");
    place.prefix = std::string(location) + "/";
    return place;
  }
  if (!location.starts_with(file_scheme)) {
    return invalid("location must begin with file:// or s3://");
  }
  location.remove_prefix(file_scheme.size());
  if (!location.starts_with('/')) return invalid("location: file:// takes an absolute path: file:///directory");
  while (location.size() > 1 && location.ends_with('/')) location.remove_suffix(1);
  const std::string& root = files_.root();
  if (location == root) return place;
  if (!location.starts_with(root + "/")) {
    return Error(ErrorCode::permission_denied, fmt::format("location: backups may only lie below {}", root));
  }
  location.remove_prefix(root.size() + 1);
  const auto names = BackupPath::of_directory(location, "location");
  if (!names.ok() && location.find("..") != std::string_view::npos) {
    return Error(ErrorCode::permission_denied, std::string(names.error().message()));
  }
  ASSIGN_OR_RETURN(place.directory, names);
  return place;
}

Result<std::unique_ptr<blobs::BlobStore>> DocumentBackups::open_store(const Place& place,
                                                                      blobs::Cancelled cancelled) const {
  if (place.bucket.empty()) {
    return std::unique_ptr<blobs::BlobStore>(std::make_unique<FileStore>(files_, place.directory));
  }
  auto options = blobs::s3_options_of_environment([](const char* name) -> const char* { return std::getenv(name); });
  if (!options.ok()) return Error(ErrorCode::permission_denied, std::string(options.error().message()));
  return std::unique_ptr<blobs::BlobStore>(
      std::make_unique<blobs::S3Store>(*std::move(options), place.bucket, place.prefix, std::move(cancelled)));
}

Result<void> DocumentBackups::back_up(const Context& context, const DocumentBackupRequest& request,
                                      const std::shared_ptr<StopFlag>& stop) {
  std::vector<std::string> names = request.tables;
  if (!request.table.empty()) names = {std::string(request.table)};
  RETURN_IF_ERROR(run_transaction(database_, context, *options_.clock, kv::Durability::engine_default,
                                  [&](kv::Transaction& transaction) -> Result<void> {
                                    const kv::ReadTransaction snapshot = transaction.snapshot();
                                    for (const auto& name : names) RETURN_IF_ERROR(table_or_error(snapshot, name));
                                    return {};
                                  }));
  RETURN_IF_ERROR(validate_id(request.id));
  ASSIGN_OR_RETURN(const Place place, place_of(request.location));
  if (copying_.exchange(true)) {
    return Error(ErrorCode::too_many_requests, "another backup of documents runs: try again when it is done");
  }
  // Given back also when the task dies without having run.
  std::shared_ptr<void> turn(nullptr, [this](void*) { copying_ = false; });
  auto promise = std::make_shared<Promise<bool>>();
  Future<bool> done = promise->future();
  auto task = tasks_.start("backup_tables", arguments_of(request, names),
                           [this, place, promise, names, turn = std::move(turn),
                            id = std::string(request.id)](TaskProgress& progress) mutable -> Result<void> {
                             const auto copy = [&]() -> Result<void> {
                               ASSIGN_OR_RETURN(const auto store,
                                                open_store(place, [&progress] { return progress.cancelled(); }));
                               return copy_documents({database_, *options_.clock, options_.durability, progress},
                                                     *store, id, names, names.empty());
                             };
                             const Result<void> copied = copy();
                             // Before the answer: whoever has it may begin the next one.
                             turn.reset();
                             promise->fulfil(copied.ok() ? Result<bool>(true) : Result<bool>(copied.error()));
                             return copied;
                           });
  promise.reset();
  RETURN_IF_ERROR(task);
  stop->on_set([this, id = *task] { std::ignore = tasks_.cancel(id); });
  RETURN_IF_ERROR(done.get());
  return {};
}

Result<RestorePlan> DocumentBackups::plan_restore(const DocumentBackupRequest& request,
                                                  documents::BackupManifest manifest) const {
  RestorePlan plan{.manifest = std::move(manifest), .names = {}};
  const auto& tables = plan.manifest.tables;
  plan.names.resize(tables.size());
  std::vector<std::string> wanted = request.tables;
  if (!request.table.empty()) wanted = {std::string(request.table)};
  if (!request.table.empty() && tables.size() == 1) {
    RETURN_IF_ERROR(documents::table_names.validate(request.table));
    plan.names[0] = request.table;
  } else if (wanted.empty()) {
    std::ranges::transform(tables, plan.names.begin(), &documents::Table::name);
  } else {
    for (const std::string& name : wanted) {
      const auto found = std::ranges::find(tables, name, &documents::Table::name);
      if (found == tables.end()) {
        return Error(ErrorCode::not_found, fmt::format("backup {} holds no table {}", request.id, printable(name)));
      }
      plan.names[static_cast<size_t>(found - tables.begin())] = name;
    }
  }
  RETURN_IF_ERROR(database_.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
    for (const std::string& name : plan.names) {
      ASSIGN_OR_RETURN(const auto found, documents::find_table(transaction, name));
      if (found) return table_exists(name);
    }
    return {};
  }));
  return plan;
}

Result<std::string> DocumentBackups::restore(const Context&, const DocumentBackupRequest& request,
                                             const std::shared_ptr<StopFlag>& stop) {
  RETURN_IF_ERROR(validate_id(request.id));
  ASSIGN_OR_RETURN(const Place place, place_of(request.location));
  const std::string id(request.id);
  auto manifest = jobs_.run<documents::BackupManifest>(stop, [&]() -> Result<documents::BackupManifest> {
    ASSIGN_OR_RETURN(const auto store, open_store(place, [&] { return stop->is_set(); }));
    return load_manifest(*store, id);
  });
  if (!manifest.ok()) return told(manifest.error());
  ASSIGN_OR_RETURN(RestorePlan planned, plan_restore(request, *std::move(manifest)));
  const auto plan = std::make_shared<const RestorePlan>(std::move(planned));
  std::vector<std::string> names;
  std::ranges::copy_if(plan->names, std::back_inserter(names), [](const std::string& name) { return !name.empty(); });
  return tasks_.start(
      "restore_tables", arguments_of(request, names), [this, place, plan, id](TaskProgress& progress) -> Result<void> {
        ASSIGN_OR_RETURN(const auto store, open_store(place, [&progress] { return progress.cancelled(); }));
        RETURN_IF_ERROR(load_documents({database_, *options_.clock, options_.durability, progress}, *store, id, *plan));
        options_.on_restored();
        return {};
      });
}

Result<std::vector<DocumentBackup>> DocumentBackups::list(std::string_view location,
                                                          const std::shared_ptr<StopFlag>& stop) {
  ASSIGN_OR_RETURN(const Place place, place_of(location));
  return jobs_.run<std::vector<DocumentBackup>>(stop, [&]() -> Result<std::vector<DocumentBackup>> {
    ASSIGN_OR_RETURN(const auto store, open_store(place, [&] { return stop->is_set(); }));
    std::vector<DocumentBackup> backups;
    std::string after;
    for (bool more = true; more && backups.size() < max_listed;) {
      ASSIGN_OR_RETURN(const auto page, store->list("", after, 1'000));
      for (const blobs::BlobInfo& blob : page.blobs) {
        after = blob.name;
        if (!blob.name.ends_with(manifest_suffix) || backups.size() == max_listed) continue;
        DocumentBackup backup{.id = blob.name.substr(0, blob.name.size() - manifest_suffix.size())};
        if (!validate_id(backup.id).ok()) continue;
        RETURN_IF_ERROR(stop->check());
        const auto manifest = load_manifest(*store, backup.id);
        if (manifest.ok()) {
          backup.created_us = manifest->created_us;
          backup.bytes = manifest->bytes;
          for (const auto& table : manifest->tables) backup.tables.push_back(table.name);
        } else {
          backup.error = manifest.error().message();
        }
        backups.push_back(std::move(backup));
      }
      more = page.more && !page.blobs.empty();
    }
    std::ranges::sort(backups, {}, &DocumentBackup::id);
    return backups;
  });
}

}  // namespace strata::service
