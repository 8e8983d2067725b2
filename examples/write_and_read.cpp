// Set, clear, get: one key, a range, a prefix.
#include "database.h"

using namespace strata;
using example::must;

int main() {
  const kv::Database db = example::open_database();

  // A transaction is a function of a Transaction; run() commits it and retries it on conflict, so it must have no other
  // effect. What it returns is what run() returns.
  must(db.run([](kv::Transaction& tr) -> Result<void> {
    tr.set("user:1001", "Alice");
    tr.set("temp:1", "x");
    tr.set("temp:2", "y");
    tr.set("cache:1", "z");
    return {};
  }));

  must(db.run([](kv::Transaction& tr) -> Result<void> {
    tr.clear_range("temp:", "temp;");  // [begin, end)
    tr.clear_prefix("cache:");
    return {};
  }));

  // Reads need no commit. get() on a Future waits for it.
  const auto value = must(db.read([](const kv::ReadTransaction& tr) { return tr.get("user:1001").get(); }));
  example::print("user:1001 = ", value.value_or("nobody"));

  // Several reads at once: ask first, wait afterwards.
  must(db.read([](const kv::ReadTransaction& tr) -> Result<void> {
    auto temp = tr.get("temp:1");
    auto cache = tr.get("cache:1");
    ASSIGN_OR_RETURN(const auto temp_value, temp.get());
    ASSIGN_OR_RETURN(const auto cache_value, cache.get());
    std::printf("temp:1 is %s, cache:1 is %s\n", temp_value ? "there" : "gone", cache_value ? "there" : "gone");
    return {};
  }));

  must(db.run([](kv::Transaction& tr) -> Result<void> {
    tr.clear("user:1001");
    return {};
  }));
}
