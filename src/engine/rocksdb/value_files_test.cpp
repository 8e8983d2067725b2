#include "engine/rocksdb/value_files.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/rocksdb/engine_fixture.h"

namespace strata::kv {
namespace {

class ValueFilesTest : public RocksdbTest {
 protected:
  void open_files() {
    values.reset();
    auto opened = ValueFiles::open(log_files, root, 1'000);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    values = *std::move(opened);
  }
  ValueReference append(BytesView key, BytesView value) {
    auto appended = values->append(key, value);
    EXPECT_TRUE(appended.ok());
    uses.push_back(appended->use);
    return appended->reference;
  }
  Result<Bytes> read(const ValueReference& reference) {
    Bytes out;
    RETURN_IF_ERROR(values->read(reference, out));
    return out;
  }
  std::vector<std::pair<Bytes, ValueReference>> visited(uint64_t number) {
    std::vector<std::pair<Bytes, ValueReference>> found;
    const auto done = values->visit(number, [&](BytesView key, const ValueReference& reference) -> Result<bool> {
      found.emplace_back(key, reference);
      return true;
    });
    EXPECT_TRUE(done.ok());
    return found;
  }
  Bytes bytes_of(const std::string& name) { return contents(root)[name]; }
  void write_bytes(const std::string& name, BytesView bytes) {
    std::ofstream(root / name, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::vector<uint64_t> unused() {
    std::vector<uint64_t> numbers;
    for (const ValueFiles::Listed& file : values->sealed_and_unused()) numbers.push_back(file.number);
    return numbers;
  }

  const std::shared_ptr<FaultFileSystem> files = std::make_shared<FaultFileSystem>();
  LogFileSystem log_files{files, false};
  std::unique_ptr<ValueFiles> values;
  std::vector<ValueFiles::Use> uses;
};

// docs/formats/rocksdb-store.md
TEST_F(ValueFilesTest, TheLayoutIsAsDocumented) {
  open_files();
  const ValueReference reference = append("key", "value");
  ASSERT_TRUE(values->sync().ok());
  Bytes sizes;
  append_le32(sizes, 3);
  append_le32(sizes, 5);
  append_le64(sizes, value_hash("value"));
  Bytes expected("strata values\0\0\1", 16);
  expected += sizes;
  append_le64(expected, value_hash(sizes + "key"));
  expected += "keyvalue";
  EXPECT_EQ(bytes_of("000001.values"), expected);
  EXPECT_EQ(reference, (ValueReference{1, 16 + 24 + 3, 5, value_hash("value")}));
  Bytes encoded(ValueReference::encoded_bytes, '\0');
  encode_reference(reference, encoded.data());
  Bytes documented("\x9f\xd4strata value\x1a\x01", 16);
  for (const uint64_t number : {uint64_t{1}, uint64_t{43}, uint64_t{5}, value_hash("value")}) {
    append_le64(documented, number);
  }
  EXPECT_EQ(encoded, documented);
}

TEST_F(ValueFilesTest, ComeBackWhileTheirFileIsWrittenAndAfterARestart) {
  open_files();
  std::vector<ValueReference> references;
  for (int i = 0; i < 40; ++i) references.push_back(append("k" + std::to_string(i), Bytes(100 + i, 'a')));
  ASSERT_TRUE(values->sync().ok());
  for (int restart = 0; restart < 2; ++restart) {
    for (int i = 0; i < 40; ++i) EXPECT_EQ(read(references[i]).value(), Bytes(100 + i, 'a'));
    open_files();
  }
  EXPECT_GT(values->all().size(), 3u);
  size_t i = 0;
  for (const ValueFiles::Listed& file : values->all()) {
    for (const auto& [key, reference] : visited(file.number)) {
      EXPECT_EQ(key, "k" + std::to_string(i));
      EXPECT_EQ(reference, references[i++]);
    }
  }
  EXPECT_EQ(i, 40u);
  const uint64_t next = append("new", "value").file;
  EXPECT_EQ(next, references.back().file + 1);
}

// A commit that waits has values in a file and no reference in the tree yet.
TEST_F(ValueFilesTest, AFileIsUnusedWhenItIsSealedAndNoCommitHasIt) {
  open_files();
  append("a", Bytes(2'000, 'a'));
  EXPECT_TRUE(unused().empty());
  append("b", Bytes(2'000, 'b'));
  EXPECT_TRUE(unused().empty());
  uses.erase(uses.begin());
  EXPECT_EQ(unused(), std::vector<uint64_t>{1});
  uses.clear();
  EXPECT_EQ(unused(), std::vector<uint64_t>{1});
  append("c", "");
  uses.clear();
  EXPECT_EQ(unused(), (std::vector<uint64_t>{1, 2}));
  values->remove(1);
  EXPECT_EQ(unused(), std::vector<uint64_t>{2});
  EXPECT_FALSE(std::filesystem::exists(root / "000001.values"));
}

TEST_F(ValueFilesTest, WhatIsNotWhatTheReferenceSaysIsCorruption) {
  open_files();
  const ValueReference reference = append("key", "value");
  ASSERT_TRUE(values->sync().ok());
  for (ValueReference wrong :
       {ValueReference{1, 43, 5, 7}, ValueReference{1, 44, 4, reference.hash},
        ValueReference{1, 43, 1'000, reference.hash}, ValueReference{2, 43, 5, reference.hash},
        ValueReference{1, UINT64_MAX - 2, 5, reference.hash}, ValueReference{1, 43, UINT64_MAX - 20, reference.hash}}) {
    EXPECT_EQ(code(read(wrong)), "corruption");
  }
  EXPECT_EQ(read(reference).value(), "value");
}

TEST_F(ValueFilesTest, KeepsFewFilesOpenForReading) {
  open_files();
  constexpr size_t count = ValueFiles::most_readers + 50;
  std::vector<ValueReference> references;
  for (size_t i = 0; i < count; ++i) references.push_back(append("key", Bytes(1'000, static_cast<char>(i))));
  EXPECT_EQ(references.back().file, count);
  const auto open_descriptors = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  };
  const size_t before = open_descriptors();
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(read(references[i]).value(), Bytes(1'000, static_cast<char>(i))) << i;
  }
  EXPECT_LE(open_descriptors() - before, ValueFiles::most_readers);
  EXPECT_GE(open_descriptors() - before, ValueFiles::most_readers - 1);
}

// What a crash left, and worse.
TEST_F(ValueFilesTest, AVisitEndsWhereARecordIsNotWhole) {
  open_files();
  for (int i = 0; i < 3; ++i) append("key" + std::to_string(i), Bytes(50, 'v'));
  ASSERT_TRUE(values->sync().ok());
  values.reset();
  const Bytes whole = bytes_of("000001.values");
  const size_t record = 24 + 4 + 50;
  ASSERT_EQ(whole.size(), 16 + 3 * record);
  for (size_t size = 0; size < whole.size(); ++size) {
    write_bytes("000001.values", whole.substr(0, size));
    open_files();
    EXPECT_EQ(visited(1).size(), size < 16 ? 0 : (size - 16) / record) << size;
  }
  for (size_t at = 16; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x80);
    write_bytes("000001.values", damaged);
    open_files();
    const size_t in_record = (at - 16) % record;
    EXPECT_EQ(visited(1).size(), in_record < 28 ? (at - 16) / record : 3) << at;
  }
}

TEST_F(ValueFilesTest, AfterAFailedWriteTheNextOneGoesElsewhere) {
  open_files();
  const ValueReference before = append("a", "before");
  files->limit_space(".values", 30);
  const auto failed = values->append("b", Bytes(50, 'b'));
  EXPECT_EQ(code(failed), "disk_full");
  files->limit_space("", -1);
  const ValueReference after = append("c", "after");
  EXPECT_EQ(after.file, 2u);
  ASSERT_TRUE(values->sync().ok());
  EXPECT_EQ(read(before).value(), "before");
  EXPECT_EQ(read(after).value(), "after");
  open_files();
  EXPECT_EQ(visited(1).size(), 1u);
}

TEST_F(ValueFilesTest, AFileThatCannotBeMadeLeavesNothing) {
  open_files();
  files->limit_space(".values", 10);
  EXPECT_EQ(code(values->append("a", "a")), "disk_full");
  EXPECT_TRUE(values->all().empty());
  EXPECT_FALSE(std::filesystem::exists(root / "000001.values"));
  files->limit_space("", -1);
  EXPECT_EQ(append("a", "a").file, 2u);
}

}  // namespace
}  // namespace strata::kv
