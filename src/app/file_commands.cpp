#include "app/file_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>

#include "app/exit.h"
#include "app/file_services.h"
#include "app/made_directory.h"
#include "engine/rocksdb/rocksdb_engine.h"
#include "kv/database.h"
#include "service/backup_files.h"
#include "service/directory_import.h"

namespace strata::app {
namespace {

// A data directory that this program has for itself, and the services on it.
class OpenStore {
 public:
  // make: it may be missing, and is made. bulk_load: what is committed is on disk after the first commit that says so.
  static Result<std::unique_ptr<OpenStore>> open(const std::string& given, bool make, bool bulk_load) {
    const DatabasePlace place = database_place(database_directory(given));
    if (!make && place.archive.empty() && !std::filesystem::exists(place.directory)) {
      return Error(ErrorCode::io_error, fmt::format("there is no data directory {}", place.directory));
    }
    RETURN_IF_ERROR(check_exported_file(place));
    MadeDirectory made(place.directory);
    auto engine = kv::RocksdbEngine::open(bulk_load ? kv::bulk_load_options(place.directory)
                                                    : kv::RocksdbOptions{.directory = place.directory});
    if (!engine.ok()) {
      // Somebody else was faster and has it.
      if (engine.error().code() == ErrorCode::unavailable) made.keep();
      return Error(engine.error().code() == ErrorCode::corruption ? ErrorCode::corruption : ErrorCode::io_error,
                   fmt::format("cannot open the data directory {}: {}", place.directory, engine.error().message()));
    }
    auto store = std::make_unique<OpenStore>(std::move(made), *std::move(engine),
                                             bulk_load ? kv::Durability::async : kv::Durability::sync);
    RETURN_IF_ERROR(import_exported_file(store->files.archives, place));
    return store;
  }
  OpenStore(MadeDirectory made_directory, std::shared_ptr<kv::Engine> engine, kv::Durability durability)
      : made(std::move(made_directory)), database(std::move(engine)), files(database, durability) {}

  // Behind the engine.
  MadeDirectory made;
  kv::Database database;
  FileServices files;
};

Exit with_store(const std::string& given, bool make, const std::function<Exit(OpenStore&)>& body,
                bool bulk_load = false) {
  const auto store = OpenStore::open(given, make, bulk_load);
  if (!store.ok()) {
    return say(store.error(),
               store.error().code() == ErrorCode::io_error ? Exit::database : exit_of(store.error().code()));
  }
  const Exit exit = body(**store);
  // Of what failed there may be a part that is to be seen.
  const Result<bool> has_head = (*store)->files.archives.has_head({});
  if (exit == Exit::ok || !has_head.ok() || *has_head) (*store)->made.keep();
  return exit;
}

// Appears under its name when it is complete.
Result<void> write_archive(OpenStore& store, const service::PlannedArchive& plan, const std::string& output) {
  const std::filesystem::path path = std::filesystem::absolute(output).lexically_normal();
  ASSIGN_OR_RETURN(const auto name, service::BackupPath::of_file(path.filename().string(), "--output"));
  ASSIGN_OR_RETURN(const auto file, service::BackupFiles(path.parent_path().string()).create(name));
  const service::StopFlag never;
  RETURN_IF_ERROR(store.files.archives.write(plan, *file, never));
  return file->finish();
}

Result<void> refuse_existing(const std::string& output) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(output, error))) return {};
  return Error(ErrorCode::already_exists, fmt::format("{} exists: it is not overwritten", output));
}

std::optional<std::string_view> given(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

// As a shell takes it for one word.
std::string shell_word(const std::string& text) {
  const auto is_plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("/._-+", c); };
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return text;
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

void print_import(const std::string& database, const service::ImportAnswer& done) {
  fmt::print("{} imported.\n", done.type == archive::BackupType::patch         ? "Patch"
                               : done.type == archive::BackupType::full_export ? "Full export"
                                                                               : "Database");
  fmt::print("Entries: {}\nChunks: {}\nFiles: {}\nDirectories: {}\nDeletions: {}\nVersion: {}\n", done.entries,
             done.chunks, done.files, done.directories, done.deletions, hash_hex(done.version));
  if (done.promoted) {
    fmt::print("HEAD has been promoted.\n");
  } else {
    fmt::print("HEAD has NOT been changed.\nTo promote: strata promote --database {} --hash {}\n",
               shell_word(database_directory(database)), hash_hex(done.version));
  }
}

// "1.2 MB"
std::string size_text(uint64_t bytes) {
  if (bytes < 1'024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes);
  std::string_view unit;
  for (const std::string_view next : {"KB", "MB", "GB", "TB"}) {
    if (size < 1'024) break;
    size /= 1'024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", size, unit);
}

}  // namespace

DatabasePlace database_place(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return {.directory = path, .archive = {}};
  return {.directory = path + ".data", .archive = path};
}

namespace {

// What is wrong with the file is damage, not the caller's mistake.
Error in_exported_file(const DatabasePlace& place, const Error& error) {
  const bool damaged = error.code() == ErrorCode::invalid_argument;
  return {damaged ? ErrorCode::corruption : error.code(), fmt::format("{}: {}", place.archive, error.message())};
}

}  // namespace

Result<void> check_exported_file(const DatabasePlace& place) {
  if (place.archive.empty() || std::filesystem::exists(place.directory)) return {};
  ASSIGN_OR_RETURN(service::FileSource source, service::FileSource::open(place.archive));
  const auto checked = service::FileArchives::check_database(source);
  if (!checked.ok()) return in_exported_file(place, checked.error());
  return {};
}

Result<void> import_exported_file(service::FileArchives& archives, const DatabasePlace& place) {
  if (place.archive.empty()) return {};
  ASSIGN_OR_RETURN(const bool has_head, archives.has_head({}));
  if (has_head) return {};
  ASSIGN_OR_RETURN(service::FileSource source, service::FileSource::open(place.archive));
  const auto done = archives.import({}, {.body = &source, .promote = true}, nullptr);
  if (!done.ok()) return in_exported_file(place, done.error());
  return {};
}

Exit run_export(const ExportCommand& command) {
  if (const auto free = refuse_existing(command.output); !free.ok()) return say(free.error());
  return with_store(command.database, false, [&](OpenStore& store) {
    const auto plan = store.files.archives.plan_export(
        {}, {.snapshot = given(command.snapshot), .hash = given(command.hash)}, nullptr);
    if (!plan.ok()) return say(plan.error());
    if (const auto written = write_archive(store, *plan, command.output); !written.ok()) return say(written.error());
    fmt::print("Export complete.\nFiles: {}\nChunks: {}\nDirectories: {}\n", plan->counts.files, plan->counts.chunks,
               plan->counts.directories);
    if (plan->counts.symlinks > 0) fmt::print("Symlinks: {}\n", plan->counts.symlinks);
    fmt::print("Version: {}\n", hash_hex(plan->header.head));
    return Exit::ok;
  });
}

Exit run_diff(const DiffCommand& command) {
  if (const auto free = refuse_existing(command.output); !free.ok()) return say(free.error());
  return with_store(command.database, false, [&](OpenStore& store) {
    const auto plan = store.files.archives.plan_diff({}, {.from = command.from, .to = given(command.to)}, nullptr);
    if (!plan.ok()) return say(plan.error());
    if (const auto written = write_archive(store, *plan, command.output); !written.ok()) return say(written.error());
    const service::ArchiveCounts& counts = plan->counts;
    fmt::print("Patch created.\nFiles added: {}\nFiles modified: {}\nFiles deleted: {}\nChunks: {}\nDirectories: {}\n",
               counts.added, counts.modified, counts.deleted, counts.chunks, counts.directories);
    fmt::print("From: {}\nTo: {}\n", hash_hex(plan->header.base), hash_hex(plan->header.target));
    return Exit::ok;
  });
}

namespace {

// Its commits stay in memory until there are many; the last one makes all of them durable.
Exit run_directory_import(const ImportCommand& command) {
  const auto body = [&](OpenStore& store) {
    service::DirectoryImport import(store.files.system, {.directory = command.directory, .path = command.path});
    const auto done = import.run({});
    if (!done.ok()) {
      store.made.give_up();
      return say(done.error());
    }
    fmt::print(
        "Directory imported.\n"
        "  Files: {} of {} bytes\n"
        "  Symlinks: {}\n"
        "  Unchanged: {}\n"
        "  Skipped: {}\n"
        "  Failed: {}\n",
        done->files, done->bytes, done->symlinks, done->unchanged, done->skipped, done->failed);
    for (const std::string& failure : done->failures) fmt::print(stderr, "strata: {}\n", failure);
    return done->failed == 0 ? Exit::ok : Exit::failed;
  };
  return with_store(command.database, true, body, true);
}

}  // namespace

Exit run_import(const ImportCommand& command) {
  if (!command.directory.empty()) return run_directory_import(command);
  auto source = service::FileSource::open(command.file);
  if (!source.ok()) return say(source.error(), Exit::usage);
  return with_store(command.database, true, [&](OpenStore& store) {
    const auto done = store.files.archives.import(
        {}, {.body = &*source, .force = command.force, .promote = command.promote}, nullptr);
    // What is wrong with it is wrong in the file.
    const bool damaged = !done.ok() && done.error().code() == ErrorCode::invalid_argument;
    if (!done.ok()) return say(done.error(), damaged ? Exit::damaged : exit_of(done.error().code()));
    print_import(command.database, *done);
    return Exit::ok;
  });
}

Exit run_promote(const PromoteCommand& command) {
  const std::optional<Hash> hash = parse_hash_hex(command.hash);
  if (!hash) return say(Error(ErrorCode::invalid_argument, "--hash is not one: 64 hexadecimal digits"));
  return with_store(command.database, false, [&](OpenStore& store) {
    if (const auto done = store.files.versions.promote({}, *hash); !done.ok()) return say(done.error());
    fmt::print("HEAD has been promoted.\nVersion: {}\n", hash_hex(*hash));
    return Exit::ok;
  });
}

Exit run_collect(const CollectCommand& command) {
  return with_store(command.database, false, [&](OpenStore& store) {
    const auto done = store.files.collector.collect({}, command.dry_run);
    if (!done.ok()) return say(done.error());
    fmt::print("Strata Garbage Collection{}\nDatabase: {}\n", command.dry_run ? " [DRY RUN]" : "",
               database_directory(command.database));
    if (command.dry_run) {
      fmt::print("[DRY RUN] Would collect {} garbage entries ({})\n", done->garbage_entries,
                 size_text(done->reclaimed_bytes));
      return Exit::ok;
    }
    fmt::print("Versions scanned: {}\nLive entries: {}\nGarbage entries: {}\nReclaimed: {}\nDuration: {:.1f}s\n",
               done->versions_scanned, done->live_entries, done->garbage_entries, size_text(done->reclaimed_bytes),
               static_cast<double>(done->duration_ms) / 1e3);
    return Exit::ok;
  });
}

}  // namespace strata::app
