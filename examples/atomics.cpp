// Mutations that need no read: they never conflict with each other. Versionstamps order what was committed.
#include "database.h"
#include "tuple/tuple.h"

using namespace strata;
using example::must;

namespace {

Bytes number(uint64_t value) {
  Bytes bytes;
  append_le64(bytes, value);  // ADD, MAX and MIN read little-endian
  return bytes;
}

}  // namespace

int main() {
  const kv::Database db = example::open_database();
  for (int i = 0; i < 3; ++i) {
    must(db.run([](kv::Transaction& tr) -> Result<void> {
      tr.mutate(kv::MutationType::add, "counter", number(1));
      tr.mutate(kv::MutationType::append_if_fits, "log", "entry\n");
      tr.mutate(kv::MutationType::bit_or, "flags", "\x04");
      tr.mutate(kv::MutationType::max, "high_score", number(1000));
      tr.mutate(kv::MutationType::min, "low_score", number(10));
      return {};
    }));
  }
  const auto counter = must(db.read([](const kv::ReadTransaction& tr) { return tr.get("counter").get(); }));
  std::printf("counter = %llu\n", static_cast<unsigned long long>(read_le64(*counter)));

  // A key that carries the commit's place: the events sort in the order in which they were committed.
  for (const char* event : {"first", "second"}) {
    must(db.run([event](kv::Transaction& tr) -> Result<void> {
      const auto key = tuple::Tuple::of(tuple::Text("events"), tuple::Versionstamp::incomplete());
      ASSIGN_OR_RETURN(const Bytes packed, key.pack_with_versionstamp());
      tr.mutate(kv::MutationType::set_versionstamped_key, packed, event);
      return {};
    }));
  }
  must(db.read([](const kv::ReadTransaction& tr) -> Result<void> {
    const auto range = tuple::Tuple::of(tuple::Text("events")).range();
    kv::RangeIterator rows(tr, range.begin, range.end);
    while (rows.next()) example::print("event: ", rows.value());
    return rows.status();
  }));

  // Wait for a key to change: the watch becomes active with the commit and outlives the transaction.
  kv::Transaction tr = db.create_transaction();
  Future<void> change = tr.watch("counter");
  must(tr.commit().get());
  must(db.run([](kv::Transaction& other) -> Result<void> {
    other.mutate(kv::MutationType::add, "counter", number(1));
    return {};
  }));
  must(change.get());
  std::printf("counter changed\n");
}
