#include "engine/rocksdb/estimates.h"

#include <algorithm>
#include <memory>

#include "engine/rocksdb/store.h"
#include "engine/rocksdb/value_usage.h"

namespace strata::kv {
namespace {

// Counting reads about 5 million rows a second: 2 ms.
constexpr size_t most_counted_rows = 10'000;
// Each halves the distance between two existing keys, in 8 bytes behind what they share.
constexpr int most_halvings = 64;

struct Counted {
  int64_t bytes = 0;
  bool complete = false;
};

// Calls visit(key, bytes) for up to `limit` rows.
template <class Visit>
Result<bool> walk(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, BytesView begin, BytesView end, size_t limit,
                  Visit visit) {
  rocksdb::ReadOptions read;
  read.snapshot = snapshot;
  const rocksdb::Slice upper = to_slice(end);
  read.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(read));
  for (iterator->Seek(to_slice(begin)); iterator->Valid(); iterator->Next()) {
    if (limit-- == 0) return false;
    visit(to_view(iterator->key()),
          static_cast<int64_t>(iterator->key().size() + value_size(to_view(iterator->value()))));
  }
  if (!iterator->status().ok()) return to_error(iterator->status());
  return true;
}

Result<Counted> count(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, BytesView begin, BytesView end) {
  Counted counted;
  ASSIGN_OR_RETURN(counted.complete, walk(db, snapshot, begin, end, most_counted_rows,
                                          [&](BytesView, int64_t bytes) { counted.bytes += bytes; }));
  return counted;
}

// Raw bytes a byte of the range's tables stands for, with the values they refer to.
double expansion(rocksdb::DB& db, BytesView begin, BytesView end) {
  const rocksdb::Range range(to_slice(begin), to_slice(end));
  rocksdb::TablePropertiesCollection tables;
  if (!db.GetPropertiesOfTablesInRange(db.DefaultColumnFamily(), &range, 1, &tables).ok()) return 1;
  double raw = 0;
  double stored = 0;
  for (const auto& [name, properties] : tables) {
    raw += static_cast<double>(properties->raw_key_size + properties->raw_value_size);
    stored += static_cast<double>(properties->data_size);
    const std::optional<ValueUsage> usage = value_usage_of(*properties);
    if (!usage) continue;
    for (const auto& [file, bytes] : *usage) raw += static_cast<double>(bytes);
  }
  return stored > 0 ? std::max(1.0, raw / stored) : 1;
}

int64_t approximate(rocksdb::DB& db, BytesView begin, BytesView end, double factor) {
  const rocksdb::Range range(to_slice(begin), to_slice(end));
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.include_files = true;
  uint64_t size = 0;
  if (!db.GetApproximateSizes(options, db.DefaultColumnFamily(), &range, 1, &size).ok()) return 0;
  return static_cast<int64_t>(static_cast<double>(size) * factor);
}

// A key about in the middle of the two: 8 bytes behind what they share, as a number.
Bytes middle_of(BytesView low, BytesView high) {
  size_t shared = 0;
  while (shared < low.size() && shared < high.size() && low[shared] == high[shared]) ++shared;
  auto number = [shared](BytesView key) {
    Bytes padded(key.substr(shared, 8));
    padded.resize(8, '\0');
    return read_be64(padded);
  };
  const uint64_t a = number(low);
  const uint64_t b = number(high);
  Bytes middle(low.substr(0, shared));
  append_be64(middle, a + (b - a) / 2);
  return middle;
}

// Halves a range by estimates until a piece holds no cut, or is small enough to find the cut by counting.
class Splitter {
 public:
  Splitter(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, int64_t chunk_bytes, double factor)
      : db_(db), snapshot_(snapshot), chunk_bytes_(chunk_bytes), factor_(factor) {
    rocksdb::ReadOptions read;
    read.snapshot = snapshot;
    iterator_.reset(db.NewIterator(read));
  }

  // Appends the cuts of [begin, end).
  Result<void> split(const Bytes& begin, const Bytes& end, int depth) {
    // Halves are taken between keys that exist: data that shares a long prefix is found at once.
    iterator_->Seek(to_slice(begin));
    if (!iterator_->Valid() || to_view(iterator_->key()) >= end) return status();
    const Bytes first(to_view(iterator_->key()));
    iterator_->SeekForPrev(to_slice(end));
    if (iterator_->Valid() && to_view(iterator_->key()) == end) iterator_->Prev();
    if (!iterator_->Valid()) return status();
    const Bytes last(to_view(iterator_->key()));

    const Bytes after_last = key_after(last);
    const int64_t bytes = approximate(db_, first, after_last, factor_);
    if (since_cut_ + bytes < chunk_bytes_) {
      since_cut_ += bytes;
      return {};
    }
    const bool by_counting = rows_left_ != 0 && bytes <= most_counted_bytes;
    const Bytes middle = middle_of(first, last);
    if (by_counting || depth == 0 || middle <= first || middle > last) return cut_by_counting(first, after_last);
    if (rows_left_ == 0 && bytes <= chunk_bytes_) return cut_before(first, bytes);
    RETURN_IF_ERROR(split(first, middle, depth - 1));
    return split(middle, after_last, depth - 1);
  }
  Result<void> cut_by_counting(BytesView begin, BytesView end) {
    auto visit = [this](BytesView key, int64_t bytes) {
      if (since_cut_ >= chunk_bytes_) {
        points_.emplace_back(key);
        since_cut_ = 0;
      }
      since_cut_ += bytes;
      --rows_left_;
    };
    ASSIGN_OR_RETURN([[maybe_unused]] const bool complete, walk(db_, snapshot_, begin, end, rows_left_, visit));
    return {};
  }

  std::vector<Bytes> take() { return std::move(points_); }

 private:
  static constexpr int64_t most_counted_bytes = 1 << 20;
  // 40 ms; afterwards cuts are where the estimates say.
  static constexpr size_t most_counted_rows_in_all = 200'000;

  Result<void> status() const {
    if (!iterator_->status().ok()) return to_error(iterator_->status());
    return {};
  }

  Result<void> cut_before(const Bytes& key, int64_t bytes) {
    points_.push_back(key);
    since_cut_ = bytes;
    return {};
  }

  rocksdb::DB& db_;
  const rocksdb::Snapshot* snapshot_;
  const int64_t chunk_bytes_;
  const double factor_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  std::vector<Bytes> points_;
  int64_t since_cut_ = 0;
  size_t rows_left_ = most_counted_rows_in_all;
};

}  // namespace

Result<int64_t> estimate_bytes(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, BytesView begin, BytesView end) {
  if (begin >= end) return int64_t{0};
  ASSIGN_OR_RETURN(const Counted counted, count(db, snapshot, begin, end));
  if (counted.complete) return counted.bytes;
  return std::max(counted.bytes, approximate(db, begin, end, expansion(db, begin, end)));
}

Result<std::vector<Bytes>> find_split_points(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, BytesView begin,
                                             BytesView end, int64_t chunk_bytes) {
  std::vector<Bytes> points{Bytes(begin)};
  if (begin < end) {
    // Estimates of small data are far off (a memtable answers in steps): what can be counted is.
    ASSIGN_OR_RETURN(const Counted counted, count(db, snapshot, begin, end));
    Splitter splitter(db, snapshot, std::max<int64_t>(1, chunk_bytes), expansion(db, begin, end));
    RETURN_IF_ERROR(counted.complete ? splitter.cut_by_counting(begin, end)
                                     : splitter.split(Bytes(begin), Bytes(end), most_halvings));
    for (Bytes& point : splitter.take()) {
      if (point > points.back() && point < end) points.push_back(std::move(point));
    }
  }
  if (points.back() != end) points.emplace_back(end);
  return points;
}

}  // namespace strata::kv
