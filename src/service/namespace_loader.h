// NamespaceLoader: fills a namespace that nobody sees yet, and puts it in the place of a name in one step.
//
// Purpose:       what `strata restore` and a replica's full copy load into. A BackupChain hands it the items of
//                backups; reveal() is the one transaction that makes them a namespace, all or nothing.
//
//                  ASSIGN_OR_RETURN(auto loader, NamespaceLoader::begin(database, {}));
//                  records::BackupChain chain(*loader, std::nullopt);
//                  RETURN_IF_ERROR(chain.add(source));
//                  RETURN_IF_ERROR(chain.finish());
//                  RETURN_IF_ERROR(loader->reveal({.name = name, .place = chain.place(), .replace = true}));
//
// Ownership:     borrows the database, the clock and the signal.
// Thread safety: one thread or coroutine at a time.
// Invariants:    what is loaded lies under a number of its own, which stands in a list (docs/formats/keyspace.md) until
//                it is revealed. A loader that dies without that clears it; after a crash drop_unfinished_namespaces
//                does. Memory is that of one batch, or the largest record. Nothing is synced before reveal(), whose
//                commit is, and covers everything before it.
#pragma once

#include <functional>
#include <memory>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crc32.h"
#include "kv/database.h"
#include "layers/records/backup_chain.h"
#include "service/log_signal.h"

namespace strata::service {

struct LoaderOptions {
  Clock* clock = &system_clock();
  // Told when a namespace was replaced; may be absent.
  LogSignal* signal = nullptr;
  // Of the log's first segment that begins after the load.
  uint64_t segment_bytes = 16u << 20;
  size_t batch_bytes = 1u << 20;
  size_t batch_operations = 4'096;
};

class NamespaceLoader final : public records::BackupConsumer {
 public:
  static Result<std::unique_ptr<NamespaceLoader>> begin(const kv::Database& database, const LoaderOptions& options);
  ~NamespaceLoader() override;

  Result<void> put(const records::BackupItem& item) override;
  Result<void> begin_object(const records::BackupObject& object) override;
  Result<void> add_object_bytes(BytesView bytes) override;
  Result<void> add_record(const records::BackupPlace& place, BytesView bytes,
                          const records::LogRecord& record) override;

  struct Reveal {
    std::string_view name;
    // Of the state: the log goes on behind it, with the next segment and the next lsn; what was before is not kept.
    records::BackupPlace place;
    // Else already_exists when the name stands for a namespace that holds anything.
    bool replace = false;
    // More to write in the same transaction; may be called more than once.
    std::function<Result<void>(kv::Transaction&, const records::Namespace&)> also = {};
  };
  // Once; the loader is done afterwards. The namespace's number.
  Result<records::Namespace> reveal(const Reveal& reveal);

 private:
  NamespaceLoader(const kv::Database& database, const LoaderOptions& options, records::Namespace space);

  Result<void> make_room();
  Result<void> flush();
  Result<void> flush_chunks();
  Result<void> end_object();
  records::Operation& add(records::OperationType type, BytesView key);

  const kv::Database& database_;
  const LoaderOptions options_;
  const records::Namespace space_;
  bool revealed_ = false;

  // What the next transaction applies.
  Arena arena_;
  std::vector<records::Operation> operations_;
  size_t batch_bytes_ = 0;

  // The object that comes now.
  records::ObjectReference object_;
  Bytes object_key_;
  Crc32 checksum_;
  uint64_t object_left_ = 0;
  uint32_t next_chunk_ = 0;
  Bytes chunks_;  // those that are not written yet
};

// At the start of a program, before anything is loaded: clears what a crash left. How many there were.
Result<size_t> drop_unfinished_namespaces(const kv::Database& database);

}  // namespace strata::service
