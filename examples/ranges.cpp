// Ranges, limits, reverse order, pages by key selectors, sizes and split points.
#include "database.h"

using namespace strata;
using example::must;

int main() {
  const kv::Database db = example::open_database();
  must(db.run([](kv::Transaction& tr) -> Result<void> {
    for (int i = 1000; i < 1100; ++i) tr.set("user:" + std::to_string(i), "name " + std::to_string(i));
    return {};
  }));

  // An iterator fetches page by page; its pages grow.
  must(db.read([](const kv::ReadTransaction& tr) -> Result<void> {
    int count = 0;
    kv::RangeIterator rows(tr, "user:", "user;");
    while (rows.next()) ++count;
    RETURN_IF_ERROR(rows.status());
    std::printf("%d users\n", count);
    return {};
  }));

  // The newest three, last first.
  must(db.read([](const kv::ReadTransaction& tr) -> Result<void> {
    kv::RangeOptions options;
    options.limit = 3;
    options.reverse = true;
    options.mode = kv::StreamingMode::want_all;
    kv::RangeIterator rows(tr, "user:", "user;", options);
    while (rows.next()) example::print("last: ", rows.key());
    return rows.status();
  }));

  // A page behind a key: start at the first key greater than the last one seen.
  must(db.read([](const kv::ReadTransaction& tr) -> Result<void> {
    kv::RangeOptions options;
    options.limit = 2;
    ASSIGN_OR_RETURN(const kv::RangePage page, tr.get_range(kv::KeySelector::first_greater_than("user:1049"),
                                                            kv::KeySelector::first_greater_or_equal("user;"), options)
                                                   .get());
    for (size_t i = 0; i < page.rows.size(); ++i) example::print("page: ", page.rows.key(i));
    return {};
  }));

  // Keys by their place.
  must(db.read([](const kv::ReadTransaction& tr) -> Result<void> {
    ASSIGN_OR_RETURN(const Bytes first, tr.get_key(kv::KeySelector::first_greater_or_equal("user:1000")).get());
    ASSIGN_OR_RETURN(const Bytes last, tr.get_key(kv::KeySelector::last_less_than("user:2000")).get());
    example::print("first: ", first);
    example::print("last: ", last);
    return {};
  }));

  // How much is there, and where to cut it for parallel work: both ends are among the points.
  must(db.read([](const kv::ReadTransaction& tr) -> Result<void> {
    ASSIGN_OR_RETURN(const int64_t bytes, tr.get_estimated_range_size_bytes("user:", "user;").get());
    ASSIGN_OR_RETURN(const auto points, tr.get_range_split_points("user:", "user;", 500).get());
    std::printf("about %s, %s\n", bytes > 0 ? "some bytes" : "nothing", points.size() > 2 ? "several pieces" : "one");
    return {};
  }));
}
