// What the transaction suites share: a database on each engine, and short words for long calls.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "conformance/engines.h"
#include "kv/atomic.h"
#include "kv/database.h"

namespace strata::kv {

using Pairs = std::vector<std::pair<Bytes, Bytes>>;
using Keys = std::vector<Bytes>;

inline Pairs pairs(const Rows& rows) {
  Pairs out;
  for (size_t i = 0; i < rows.size(); ++i) out.emplace_back(rows.key(i), rows.value(i));
  return out;
}

inline Keys keys(const Rows& rows) {
  Keys out;
  for (size_t i = 0; i < rows.size(); ++i) out.emplace_back(rows.key(i));
  return out;
}

inline Bytes le(uint64_t value) {
  Bytes out;
  append_le64(out, value);
  return out;
}

// `text` with NUL bytes where it says so.
template <size_t N>
Bytes raw(const char (&text)[N]) {
  return Bytes(text, N - 1);
}

class TransactionTest : public testing::TestWithParam<EngineKind> {
 protected:
  TransactionTest() : engine_(open_engine(GetParam())), database(engine_.engine) {}

  Transaction begin() { return database.create_transaction(); }

  void put(BytesView key, BytesView value) {
    Transaction tr = begin();
    tr.set(key, value);
    ASSERT_TRUE(tr.commit().get().ok());
  }
  void put_all(const Keys& all) {
    Transaction tr = begin();
    for (const Bytes& key : all) tr.set(key, "v" + key);
    ASSERT_TRUE(tr.commit().get().ok());
  }
  std::optional<Bytes> stored(BytesView key) {
    Transaction tr = begin();
    auto value = tr.get(key).get();
    EXPECT_TRUE(value.ok()) << (value.ok() ? "" : value.error().message());
    return value.ok() ? *value : std::nullopt;
  }
  static Bytes key_of(Result<Bytes> key) {
    EXPECT_TRUE(key.ok());
    return key.ok() ? *key : Bytes("<error>");
  }
  static RangePage page_of(Result<RangePage> page) {
    EXPECT_TRUE(page.ok()) << (page.ok() ? "" : page.error().message());
    return page.ok() ? std::move(*page) : RangePage{};
  }
  // The number of the error, 0 for none.
  template <class T>
  static int number(const Result<T>& result) {
    return result.ok() ? 0 : fdb_error_number(result.error().code());
  }
  static int commit_number(Transaction& tr) { return number(tr.commit().get()); }

  // Whether a write of [begin, end) by another transaction, after `read` ran, makes the reader's commit fail.
  template <class Read>
  bool conflicts(Read read, BytesView begin_key, BytesView end_key) {
    Transaction reader = begin();
    EXPECT_EQ(number(reader.get_read_version().get()), 0);
    read(reader);
    Transaction writer = begin();
    EXPECT_TRUE(writer.add_write_conflict_range(begin_key, end_key).ok());
    EXPECT_EQ(commit_number(writer), 0);
    EXPECT_TRUE(reader.add_write_conflict_key("only-to-not-be-read-only").ok());
    const int result = commit_number(reader);
    EXPECT_TRUE(result == 0 || result == 1020) << result;
    return result == 1020;
  }
  template <class Read>
  bool conflicts(Read read, BytesView key) {
    return conflicts(read, key, key_after(key));
  }

  OpenEngine engine_;
  Database database;
};

inline std::string kind_name(const testing::TestParamInfo<EngineKind>& info) { return name_of(info.param); }

}  // namespace strata::kv
