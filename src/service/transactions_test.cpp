#include "service/transactions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "engine/memory/memory_engine.h"
#include "layers/records/log_record.h"
#include "layers/records/store_test.h"
#include "service/records.h"

namespace strata::service {
namespace {

using testing::HasSubstr;

uint32_t crc_of(BytesView bytes) {
  Crc32 crc;
  crc.update(bytes);
  return crc.value();
}

class TransactionsService : public testing::Test {
 protected:
  TransactionsService()
      : engine_(std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.clock = &clock_, .limits = limits()})),
        database_(engine_, {.max_retry_delay_ms = 1}),
        records_(database_, {.clock = &clock_}),
        objects_(database_, {.clock = &clock_, .pass_interval_ms = 3'600'000}),
        transactions_(database_, objects_, options()) {
    EXPECT_TRUE(records_.open({}).ok());
    EXPECT_TRUE(objects_.open().ok());
    EXPECT_TRUE(transactions_.open().ok());
    space_ = space_of("default");
  }

  static kv::Limits limits() { return {.transaction_bytes = 10'000'000}; }
  TransactionsOptions options() {
    return {.clock = &clock_, .most_open = 5, .most_object_memory_bytes = 20'000, .sweep_interval_ms = 3'600'000};
  }
  records::Namespace space_of(std::string_view name) {
    const auto found = database_.read(
        [&](const kv::ReadTransaction& transaction) { return records::find_namespace(transaction, name); });
    return **found;
  }
  std::string begin(EntryType type, ChangeKind kind = ChangeKind::put) {
    auto id = transactions_.begin({}, {.name_space = "default", .type = type, .kind = kind});
    EXPECT_TRUE(id.ok());
    return *id;
  }
  Result<void> put(std::string_view id, BytesView key, BytesView value) {
    return transactions_.append({}, "default", id, {.type = OperationType::put_value, .key = key, .value = value});
  }
  Result<uint64_t> add(std::string_view id, BytesView key, BytesView bytes, std::optional<uint64_t> offset = {}) {
    return transactions_.append_object({}, "default", id, {.key = key, .bytes = bytes, .offset = offset});
  }
  Result<CommittedTransaction> commit(std::string_view id) { return transactions_.commit({}, "default", id); }
  std::string get(BytesView key) {
    const auto stored = records_.read_value({}, "default", key);
    return *stored ? Bytes((*stored)->value()) : "<absent>";
  }
  Bytes object(BytesView key) {
    auto reader = objects_.read({}, "default", key);
    if (!*reader) return "<absent>";
    Bytes all;
    for (auto piece = (*reader)->next(); !piece->empty(); piece = (*reader)->next()) all.append(*piece);
    return all;
  }
  // Keys of the namespace that tell of something staged.
  size_t staged_keys() {
    EXPECT_TRUE(objects_.run_pass().ok());
    size_t count = 0;
    for (const auto& [key, value] : records::dump(database_, space_)) {
      const char entity = key[space_.prefix.size()];
      count += entity == 't' || entity == 'p' || entity == 'O' ? 1 : 0;
    }
    return count;
  }
  size_t log_records() {
    const auto log = database_.read(
        [&](const kv::ReadTransaction& transaction) { return records::read_log(transaction, space_, nullptr, 100); });
    return log->size();
  }
  template <class T>
  static std::string error_of(const Result<T>& result) {
    return result.ok() ? "none" : std::string(result.error().message());
  }
  template <class T>
  static ErrorCode code(const Result<T>& result) {
    return result.ok() ? ErrorCode::internal : result.error().code();
  }

  ManualClock clock_;
  std::shared_ptr<kv::MemoryEngine> engine_;
  kv::Database database_;
  Records records_;
  Objects objects_;
  Transactions transactions_;
  records::Namespace space_;
};

TEST_F(TransactionsService, ValuesAreAppliedInOneStep) {
  const std::string id = begin(EntryType::value);
  EXPECT_EQ(id.size(), 32u);
  ASSERT_TRUE(put(id, "a", "1").ok());
  ASSERT_TRUE(put(id, "b", Bytes(200'000, 'x')).ok());
  ASSERT_TRUE(put(id, "a", "2").ok());
  EXPECT_EQ(get("a"), "<absent>");
  EXPECT_EQ(log_records(), 0u);
  EXPECT_GT(staged_keys(), 0u);
  const auto committed = commit(id);
  ASSERT_TRUE(committed.ok());
  EXPECT_EQ(committed->checksum, crc_of("1" + Bytes(200'000, 'x') + "2"));
  EXPECT_EQ(get("a"), "2");
  EXPECT_EQ(get("b").size(), 200'000u);
  EXPECT_EQ(format_version(*committed->version), format_version((*records_.read_value({}, "default", "a"))->stamp()));
  EXPECT_EQ(log_records(), 1u);
  EXPECT_EQ(staged_keys(), 0u);
  EXPECT_EQ(error_of(commit(id)), "transaction not found: " + id);
  EXPECT_EQ(error_of(put(id, "a", "3")), "transaction not found: " + id);
}

TEST_F(TransactionsService, RowsPutAndDelete) {
  const std::string id = begin(EntryType::row);
  ASSERT_TRUE(
      transactions_
          .append({}, "default", id, {.type = OperationType::put_row, .key = "r", .columns = {{"a", "1"}, {"b", "2"}}})
          .ok());
  const auto committed = commit(id);
  EXPECT_EQ(committed->checksum, crc_of("12"));
  EXPECT_EQ((*records_.read_row({}, {.name_space = "default", .row_key = "r"}))->columns.size(), 2u);
  const std::string removal = begin(EntryType::row, ChangeKind::remove);
  ASSERT_TRUE(transactions_.append({}, "default", removal, {.type = OperationType::delete_row, .key = "r"}).ok());
  ASSERT_TRUE(commit(removal).ok());
  EXPECT_FALSE(records_.read_row({}, {.name_space = "default", .row_key = "r"})->has_value());
}

TEST_F(TransactionsService, ObjectsOfSeveralKeys) {
  const std::string id = begin(EntryType::object);
  const Bytes part(300'001, 'p');
  EXPECT_EQ(*add(id, "a", part), 300'001u);
  EXPECT_EQ(*add(id, "b", "brief"), 5u);
  EXPECT_EQ(*add(id, "a", part), 600'002u);
  EXPECT_EQ(*add(id, "empty", ""), 0u);
  EXPECT_EQ(object("a"), "<absent>");
  const auto committed = commit(id);
  ASSERT_TRUE(committed.ok());
  EXPECT_EQ(committed->checksum, crc_of(part + "brief" + part));
  EXPECT_EQ(object("a"), part + part);
  EXPECT_EQ(object("b"), "brief");
  EXPECT_EQ(object("empty"), "");
  EXPECT_EQ(log_records(), 1u);

  const std::string removal = begin(EntryType::object, ChangeKind::remove);
  EXPECT_TRUE(add(removal, "a", "ignored").ok());
  EXPECT_TRUE(add(removal, "a", "").ok());
  EXPECT_TRUE(add(removal, "none", "").ok());
  EXPECT_EQ(object("b"), "brief");
  ASSERT_TRUE(commit(removal).ok());
  EXPECT_EQ(object("a"), "<absent>");
}

TEST_F(TransactionsService, AnOffsetMakesAnAppendIdempotent) {
  const std::string id = begin(EntryType::object);
  EXPECT_EQ(code(add(id, "a", "x", 1)), ErrorCode::conflict);
  EXPECT_EQ(*add(id, "a", "01234", 0), 5u);
  EXPECT_EQ(*add(id, "a", "01234", 0), 5u);
  EXPECT_EQ(*add(id, "a", "56789", 5), 10u);
  EXPECT_EQ(*add(id, "a", "01234", 0), 10u);
  EXPECT_EQ(*add(id, "a", "9", 9), 10u);
  EXPECT_THAT(error_of(add(id, "a", "x", 11)), HasSubstr("gap: 10 bytes"));
  EXPECT_EQ(code(add(id, "a", "89ab", 8)), ErrorCode::conflict);
  EXPECT_EQ(code(add(id, "a", "x", UINT64_MAX)), ErrorCode::conflict);
  EXPECT_EQ(*add(id, "a", "ab", 10), 12u);
  const auto committed = commit(id);
  EXPECT_EQ(object("a"), "0123456789ab");
  EXPECT_EQ(committed->checksum, crc_of("0123456789ab"));
}

TEST_F(TransactionsService, AMismatchLeavesTheTransactionUsable) {
  const std::string id = begin(EntryType::value);
  EXPECT_THAT(error_of(add(id, "a", "x")), HasSubstr("of type kv, not lob"));
  EXPECT_EQ(code(transactions_.append({}, "default", id, {.type = OperationType::put_row, .key = "r"})),
            ErrorCode::invalid_argument);
  EXPECT_EQ(code(transactions_.kind_of({}, "default", id, EntryType::row)), ErrorCode::invalid_argument);
  EXPECT_EQ(code(put(id, "", "x")), ErrorCode::invalid_argument);
  EXPECT_EQ(code(put(id, Bytes(8'193, 'k'), "x")), ErrorCode::key_too_large);
  EXPECT_TRUE(put(id, "a", "1").ok());
  EXPECT_TRUE(commit(id).ok());
  EXPECT_EQ(get("a"), "1");
}

TEST_F(TransactionsService, UpdatesNeedWhatTheyUpdate) {
  const std::string id = begin(EntryType::value, ChangeKind::update);
  ASSERT_TRUE(put(id, "a", "1").ok());
  EXPECT_THAT(error_of(commit(id)), HasSubstr("nothing to update at the key a"));
  EXPECT_EQ(get("a"), "<absent>");
  // Still open: the commit can be tried again.
  const std::string first = begin(EntryType::value);
  ASSERT_TRUE(put(first, "a", "0").ok() && commit(first).ok());
  EXPECT_TRUE(commit(id).ok());
  EXPECT_EQ(get("a"), "1");

  const std::string row = begin(EntryType::row, ChangeKind::update);
  ASSERT_TRUE(transactions_.append({}, "default", row, {.type = OperationType::put_row, .key = "r"}).ok());
  EXPECT_EQ(code(commit(row)), ErrorCode::conflict);
  const std::string lob = begin(EntryType::object, ChangeKind::update);
  ASSERT_TRUE(add(lob, "o", "x").ok());
  EXPECT_EQ(code(commit(lob)), ErrorCode::conflict);
  EXPECT_TRUE(transactions_.abort({}, "default", row).ok());
  EXPECT_TRUE(transactions_.abort({}, "default", lob).ok());
  EXPECT_EQ(staged_keys(), 0u);
}

TEST_F(TransactionsService, EmptyOnesCommitAndChangeNothing) {
  for (const EntryType type : {EntryType::value, EntryType::row, EntryType::object}) {
    const auto committed = commit(begin(type));
    ASSERT_TRUE(committed.ok());
    EXPECT_EQ(committed->checksum, 0u);
    EXPECT_FALSE(committed->version.has_value());
  }
  EXPECT_EQ(log_records(), 0u);
}

TEST_F(TransactionsService, AbortLeavesNothing) {
  const std::string values = begin(EntryType::value);
  ASSERT_TRUE(put(values, "a", Bytes(500'000, 'x')).ok());
  const std::string objects = begin(EntryType::object);
  ASSERT_TRUE(add(objects, "o", Bytes(500'000, 'x')).ok());
  ASSERT_TRUE(transactions_.abort({}, "default", values).ok());
  ASSERT_TRUE(transactions_.abort({}, "default", objects).ok());
  EXPECT_EQ(code(transactions_.abort({}, "default", values)), ErrorCode::not_found);
  EXPECT_EQ(staged_keys(), 0u);
  EXPECT_EQ(log_records(), 0u);
}

TEST_F(TransactionsService, TimeEndsThem) {
  const std::string idle = begin(EntryType::object);
  const std::string busy = begin(EntryType::value);
  ASSERT_TRUE(add(idle, "o", "x").ok());
  for (int minute = 0; minute < 14; ++minute) {
    clock_.advance_us(60'000'000);
    ASSERT_TRUE(put(busy, "a", "1").ok()) << minute;
    if (minute == 0) EXPECT_EQ(transactions_.sweep(), 0u);
    if (minute == 1) {
      EXPECT_EQ(code(add(idle, "o", "x")), ErrorCode::not_found);
      EXPECT_EQ(transactions_.sweep(), 1u);
    }
  }
  clock_.advance_us(60'000'000);
  EXPECT_EQ(code(put(busy, "a", "1")), ErrorCode::not_found);
  EXPECT_EQ(transactions_.sweep(), 1u);
  EXPECT_EQ(transactions_.open_count(), 0u);
  EXPECT_EQ(staged_keys(), 0u);
}

TEST_F(TransactionsService, TheNextRunClearsWhatTheLastOneStaged) {
  const std::string values = begin(EntryType::value);
  ASSERT_TRUE(put(values, "a", "1").ok());
  const std::string objects = begin(EntryType::object);
  ASSERT_TRUE(add(objects, "o", "x").ok());
  Objects next_objects(database_, {.pass_interval_ms = 3'600'000});
  Transactions next(database_, next_objects, options());
  ASSERT_TRUE(next_objects.open().ok());
  ASSERT_TRUE(next.open().ok());
  EXPECT_EQ(staged_keys(), 0u);
  EXPECT_EQ(code(next.commit({}, "default", values)), ErrorCode::not_found);
}

TEST_F(TransactionsService, NamespacesThatGo) {
  EXPECT_EQ(error_of(transactions_.begin({}, {.name_space = "none"})), "namespace not found: none");
  ASSERT_TRUE(records_.ensure_namespace({}, "other").ok());
  const std::string id = begin(EntryType::value);
  EXPECT_EQ(error_of(transactions_.commit({}, "other", id)), "transaction not found: " + id);
  const auto lost = transactions_.begin({}, {.name_space = "other"});
  ASSERT_TRUE(
      transactions_.append({}, "other", *lost, {.type = OperationType::put_value, .key = "a", .value = "1"}).ok());
  ASSERT_TRUE(records_.remove_namespace({}, "other").ok());
  EXPECT_EQ(error_of(transactions_.commit({}, "other", *lost)), "namespace not found: other");
  ASSERT_TRUE(records_.ensure_namespace({}, "other").ok());
  EXPECT_EQ(error_of(transactions_.commit({}, "other", *lost)), "transaction not found: " + *lost);
  EXPECT_TRUE(records::dump(database_, space_of("other")).empty());
}

TEST_F(TransactionsService, Limits) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(begin(EntryType::value));
  EXPECT_EQ(code(transactions_.begin({}, {.name_space = "default"})), ErrorCode::too_many_requests);
  ASSERT_TRUE(commit(ids[4]).ok());

  // A refused append adds nothing, and what was added before can be committed.
  const Bytes value(900'000, 'v');
  int added = 0;
  Result<void> last = put(ids[0], "0", value);
  for (; last.ok(); last = put(ids[0], std::to_string(++added), value)) {
  }
  EXPECT_EQ(last.error().code(), ErrorCode::payload_too_large);
  EXPECT_GE(added, 4);
  ASSERT_TRUE(put(ids[0], "small", "s").ok());
  ASSERT_TRUE(commit(ids[0]).ok());
  EXPECT_EQ(get(std::to_string(added - 1)).size(), value.size());
  EXPECT_EQ(get(std::to_string(added)), "<absent>");
  EXPECT_EQ(get("small"), "s");

  const std::string objects = begin(EntryType::object);
  ASSERT_TRUE(add(objects, Bytes(8'000, 'a'), "x").ok());
  ASSERT_TRUE(add(objects, Bytes(8'000, 'b'), "x").ok());
  EXPECT_EQ(code(add(objects, Bytes(8'000, 'c'), "x")), ErrorCode::payload_too_large);
  EXPECT_TRUE(add(objects, Bytes(8'000, 'b'), "x").ok());
  ASSERT_TRUE(transactions_.abort({}, "default", objects).ok());
  const std::string again = begin(EntryType::object);
  EXPECT_TRUE(add(again, Bytes(8'000, 'c'), "x").ok());
}

TEST_F(TransactionsService, LostAnswersAreNotAppliedTwice) {
  engine_->set_faults({.not_committed = 0.2, .commit_unknown_result_applied = 0.3, .commit_unknown_result_lost = 0.2});
  for (int i = 0; i < 20; ++i) {
    const std::string id = begin(i % 2 == 0 ? EntryType::value : EntryType::object);
    if (i % 2 == 0) {
      ASSERT_TRUE(put(id, "a", std::to_string(i)).ok());
    } else {
      ASSERT_TRUE(add(id, "a", Bytes(150'000, 'x')).ok());
    }
    ASSERT_TRUE(commit(id).ok());
  }
  engine_->set_faults({});
  EXPECT_EQ(log_records(), 20u);
  EXPECT_EQ(get("a"), "18");
}

TEST_F(TransactionsService, ConcurrentAppendsTakeTurns) {
  const std::string id = begin(EntryType::object);
  constexpr int threads = 6;
  constexpr int appends = 20;
  std::vector<std::thread> clients;
  for (int i = 0; i < threads; ++i) {
    clients.emplace_back([&, i] {
      for (int n = 0; n < appends; ++n) EXPECT_TRUE(add(id, "a", Bytes(10'000, static_cast<char>('a' + i))).ok());
    });
  }
  for (auto& client : clients) client.join();
  ASSERT_TRUE(commit(id).ok());
  const Bytes all = object("a");
  ASSERT_EQ(all.size(), 10'000u * threads * appends);
  // Whole pieces, each as often as it was sent.
  std::map<char, int> pieces;
  for (size_t at = 0; at < all.size(); at += 10'000) {
    EXPECT_EQ(all.substr(at, 10'000), Bytes(10'000, all[at]));
    ++pieces[all[at]];
  }
  for (const auto& [letter, count] : pieces) EXPECT_EQ(count, appends) << letter;
}

}  // namespace
}  // namespace strata::service
