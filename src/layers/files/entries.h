// Entries: content by its hash.
//
// Purpose:       chunks, records, directories and their nodes as keys: an index row that says what there is, and the
//                bytes (docs/formats/files.md). Stored once, whoever refers to them.
// Ownership:     borrows the transaction and the cache. What is read is owned by who reads it; nodes are shared.
// Thread safety: a reader or writer belongs to its transaction; NodeCache may be used by any thread.
// Invariants:    bytes under a hash have that hash. An index row and its bytes are written and removed together. Who
//                writes has read the state of the collection serializably, so that a collection which begins or ends
//                meanwhile makes the writer begin anew: entries that it puts carry the epoch of the collection under
//                way.
// Errors:        corruption for what the store holds and this program would not have written.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "archive/file_records.h"
#include "kv/transaction.h"

namespace strata::files {

using archive::EntryKind;

// As an archive's compression_algo.
enum class Compression : uint8_t { none = 0, zstd = 1 };

// Also the most of an entry's bytes in one value.
inline constexpr size_t part_bytes = 96'000;
// Of an entry as it is: a directory of 255 long names, a record of 10 GB. More is no entry.
inline constexpr size_t max_entry_bytes = 16u << 20;

struct EntryRow {
  EntryKind kind = EntryKind::chunk;
  Compression compression = Compression::none;
  // Of the collection that was the last to begin when the entry was put or reused.
  uint32_t epoch = 0;
  uint32_t raw_size = 0;
  uint32_t stored_size = 0;
  friend bool operator==(const EntryRow&, const EntryRow&) = default;
};
Bytes encode_entry_row(const EntryRow& row);
Result<EntryRow> decode_entry_row(BytesView stored);

Bytes entry_row_key(const Hash& hash);
// All index rows, ordered by hash.
kv::KeyRange entry_rows();
// nullopt: no such key.
std::optional<Hash> hash_of_row_key(BytesView key);
// Of the first part; those that follow lie behind it.
Bytes entry_data_key(EntryKind kind, const Hash& hash);
// The bytes of all entries of a kind, ordered by hash.
kv::KeyRange entry_data(EntryKind kind);

// What a first part begins with, and the rest of it.
struct StoredEntry {
  Compression compression = Compression::none;
  uint32_t raw_size = 0;
  uint32_t stored_size = 0;
  BytesView first;  // up to part_bytes of stored_size
};
Result<StoredEntry> decode_first_part(BytesView stored);
// As it was before it was compressed; corruption where that fails or gives another size.
Result<Bytes> unpack(Compression compression, Bytes stored, uint32_t raw_size);
// nullopt: it does not pay, or there is no memory.
std::optional<Bytes> pack_zstd(BytesView raw, int level);

// Nodes and records that were read lately, by hash. They never change, so nothing is ever out of date.
class NodeCache {
 public:
  explicit NodeCache(size_t capacity_bytes = 64u << 20);

  // Null: not here.
  std::shared_ptr<const Bytes> find(const Hash& hash);
  void add(const Hash& hash, std::shared_ptr<const Bytes> bytes);

 private:
  static constexpr size_t shard_count = 16;
  struct Shard {
    using Order = std::list<std::pair<Hash, std::shared_ptr<const Bytes>>>;
    std::mutex mutex;
    Order newest_first;
    std::unordered_map<Hash, Order::iterator, HashHasher> places;
    size_t bytes = 0;
  };
  const size_t shard_capacity_bytes_;
  std::unique_ptr<Shard[]> shards_;
};

// All of an entry, as it is stored.
struct PackedEntry {
  Compression compression = Compression::none;
  uint32_t raw_size = 0;
  Bytes stored;
};

class EntryReader {
 public:
  EntryReader(kv::ReadTransaction transaction, NodeCache& cache)
      : transaction_(std::move(transaction)), cache_(&cache) {}

  // As it was before it was compressed; nullopt: there is none. Does not hash it again.
  Result<std::optional<Bytes>> read(EntryKind kind, const Hash& hash) const;
  // The same in two steps, so that several are under way at once.
  Future<std::optional<Bytes>> get_first_part(EntryKind kind, const Hash& hash) const;
  Result<Bytes> finish(EntryKind kind, const Hash& hash, BytesView first_part) const;
  // As finish, without a copy where the first part is all of the entry: views first_part, or `space`.
  Result<BytesView> finish_view(EntryKind kind, const Hash& hash, BytesView first_part, Bytes& space) const;
  Result<PackedEntry> finish_packed(EntryKind kind, const Hash& hash, BytesView first_part) const;

  // A directory or a node of one, through the cache. not_found: it was collected.
  Result<std::shared_ptr<const Bytes>> node(const Hash& hash) const;
  // Records through the cache. not_found as above.
  Result<archive::FileRecord> file_record(const Hash& hash) const;
  Result<archive::SymlinkRecord> symlink(const Hash& hash) const;

  // nullopt: no entry has this hash.
  Result<std::optional<EntryRow>> row(const Hash& hash) const;
  const kv::ReadTransaction& transaction() const { return transaction_; }
  NodeCache& cache() const { return *cache_; }

 private:
  Result<std::shared_ptr<const Bytes>> cached(EntryKind kind, const Hash& hash) const;

  kv::ReadTransaction transaction_;
  NodeCache* cache_;
};

// What is known of a garbage collection.
struct CollectionState {
  uint32_t epoch = 0;
  bool running = false;
  // The last row that was swept, while running.
  Bytes cursor;
  friend bool operator==(const CollectionState&, const CollectionState&) = default;
};
Bytes collection_state_key();
Bytes encode_collection_state(const CollectionState& state);
// nullopt: there was never one.
Result<CollectionState> decode_collection_state(const std::optional<Bytes>& stored);

class EntryWriter : public EntryReader {
 public:
  // Reads the state of the collection serializably. The transaction outlives the writer.
  static Result<EntryWriter> begin(kv::Transaction& transaction, NodeCache& cache);

  kv::Transaction& writes() const { return *writes_; }
  const CollectionState& collection() const { return collection_; }

  // Without asking whether it is there: the same bytes over themselves. `bytes` have the hash in the kind's domain.
  void put(EntryKind kind, const Hash& hash, BytesView bytes);
  // A directory or a node, which is then in the cache too. Its hash in the domain of a whole directory or of a node.
  Hash put_directory(Bytes bytes);
  Hash put_node(Bytes bytes);
  Hash put_file(const archive::FileRecord& record);
  Hash put_symlink(const archive::SymlinkRecord& record);
  // `stored`: packed as `compression` says.
  void put_chunk(const Hash& hash, BytesView stored, Compression compression, uint32_t raw_size);

  // Is the entry there, so that it can be referred to? Ask for many, then take each answer. While a collection runs an
  // older entry is put into its epoch, so that it stays.
  Future<std::optional<Bytes>> look_up(const Hash& hash) const;
  Result<std::optional<EntryRow>> reuse(const Hash& hash, const std::optional<Bytes>& found);

  // Its index row and its bytes.
  void remove(const Hash& hash, const EntryRow& row);

 private:
  EntryWriter(kv::Transaction& transaction, NodeCache& cache, CollectionState collection)
      : EntryReader(transaction, cache), writes_(&transaction), collection_(std::move(collection)) {}
  void store(EntryKind kind, const Hash& hash, BytesView stored, Compression compression, uint32_t raw_size);
  Hash put_tree_bytes(const Hash& hash, Bytes bytes);

  kv::Transaction* writes_;
  CollectionState collection_;
};

}  // namespace strata::files
