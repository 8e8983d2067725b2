// FileSystem: what all services of versioned files share.
//
// Purpose:       one cache of directory nodes, one table of pins and one writer a branch for a store; how a tree is
//                found and read.
// Ownership:     borrows the database and the clock, which outlive it; outlives its services, readers and listings.
// Thread safety: any thread.
// Invariants:    there is at most one writer of a branch at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "base/clock.h"
#include "kv/database.h"
#include "layers/files/entries.h"
#include "service/file_pins.h"
#include "service/run.h"

namespace strata::service {

struct FileSystemOptions {
  Clock* clock = &system_clock();
  // Of every commit that makes something visible.
  kv::Durability durability = kv::Durability::sync;
  size_t node_cache_bytes = 64u << 20;
  uint64_t max_file_bytes = uint64_t{10} << 30;
};

class FileWriter;

class FileSystem {
 public:
  FileSystem(const kv::Database& database, const FileSystemOptions& options);
  ~FileSystem();
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  const kv::Database& database() const { return database_; }
  const FileSystemOptions& options() const { return options_; }
  Clock& clock() const { return *options_.clock; }
  int64_t now_ms() const { return options_.clock->wall_us() / 1000; }
  // When a snapshot or fork is made: each later than the one before, so that lists of them have one order.
  int64_t new_version_ms();
  files::NodeCache& cache() const { return cache_; }
  FilePins& pins() const { return *pins_; }

  // Of the branch, whether there is one or not; it is there as long as somebody holds it.
  std::shared_ptr<FileWriter> writer(std::string_view branch);

  // body: const files::EntryReader& -> Result<T>; sees one version, may be called more than once.
  template <class Body>
  auto read(const Context& context, Body body) const -> std::invoke_result_t<Body&, const files::EntryReader&> {
    return run_transaction(database_, context, clock(), options_.durability, [&](kv::Transaction& transaction) {
      return body(files::EntryReader(transaction.snapshot(), cache_));
    });
  }

  // body: kv::Transaction& -> Result<T>; commits what it writes, may be called more than once. Of entries and branches.
  template <class Body>
  auto write(const Context& context, kv::Durability durability, Body body) const
      -> std::invoke_result_t<Body&, kv::Transaction&> {
    using Answer = std::invoke_result_t<Body&, kv::Transaction&>;
    return run_transaction(database_, context, clock(), durability, [&](kv::Transaction& transaction) -> Answer {
      RETURN_IF_ERROR(shorten_pauses(transaction));
      return body(transaction);
    });
  }

  // Between the attempts of a transaction that is not of write(), as in it.
  static Result<void> shorten_pauses(kv::Transaction& transaction) {
    return transaction.set_option(kv::TransactionOption::max_retry_delay, max_retry_delay_ms);
  }

  // Files known to have full chunks but for the last one, by the hash of their records.
  bool is_regular(const Hash& file_record) const;
  void set_regular(const Hash& file_record);

 private:
  static constexpr size_t max_regular = 65'536;
  // What conflicts is nearly always a collection that begins or ends, and is over at once: branches have one writer
  // here. With pauses of up to a second 120 writes took 25 s beside collections that followed one another, and 8
  // clients put 230-820 chunks a second, where they put 1,760-2,520 now.
  static constexpr int64_t max_retry_delay_ms = 10;

  const kv::Database& database_;
  const FileSystemOptions options_;
  mutable files::NodeCache cache_;
  const std::shared_ptr<FilePins> pins_ = std::make_shared<FilePins>();
  mutable std::mutex mutex_;
  int64_t last_version_ms_ = 0;
  std::map<std::string, std::weak_ptr<FileWriter>, std::less<>> writers_;
  std::unordered_set<Hash, HashHasher> regular_;
};

}  // namespace strata::service
