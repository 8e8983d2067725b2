#include "service/files.h"

#include <algorithm>
#include <thread>

#include "base/random.h"
#include "layers/files/versions.h"
#include "service/files_fixture_test.h"

namespace strata::service {
namespace {

using namespace std::literals;

using FilesService = FileServicesTest;

Bytes random_bytes(size_t size, uint64_t seed = 1) {
  Random random(seed);
  Bytes bytes;
  while (bytes.size() < size) append_le64(bytes, random.next());
  bytes.resize(size);
  return bytes;
}

TEST_F(FilesService, WhatIsPutIsRead) {
  const FileStat stat = taken(put("docs/readme.txt", "hello"));
  EXPECT_EQ(stat.path, "/docs/readme.txt");
  EXPECT_EQ(stat.total_size, 5U);
  EXPECT_EQ(stat.name(), "readme.txt");
  EXPECT_EQ(taken(get("/docs/readme.txt/")), "hello");
  const FileStat found = taken(files_.stat({}, {.path = "/docs/readme.txt"}));
  EXPECT_EQ(found.hash, stat.hash);
  EXPECT_EQ(found.content_type, "text/plain");
  EXPECT_EQ(code_of(get("/docs/other.txt")), ErrorCode::not_found);
  EXPECT_EQ(code_of(get("/docs/readme.txt/below")), ErrorCode::not_found);
  EXPECT_EQ(code_of(get("/docs/../x")), ErrorCode::invalid_argument);
  EXPECT_EQ(taken(get("/docs/readme.txt")), "hello");
}

TEST_F(FilesService, AnOverwriteKeepsTheTimeOfCreation) {
  const FileStat first = taken(put("/a", "one"));
  clock_.advance_us(5'000'000);
  const FileStat second = taken(put("/a", "two"));
  EXPECT_EQ(second.created_at_ms, first.created_at_ms);
  EXPECT_EQ(second.updated_at_ms, first.updated_at_ms + 5'000);
  EXPECT_EQ(taken(get("/a")), "two");
}

TEST_F(FilesService, EmptyFilesHaveNoChunks) {
  EXPECT_EQ(taken(put("/empty", "")).total_size, 0U);
  EXPECT_EQ(taken(get("/empty")), "");
}

TEST_F(FilesService, NothingStandsInTwoRoles) {
  taken(put("/a/b", "file"));
  EXPECT_EQ(code_of(put("/a", "x")), ErrorCode::already_exists);
  EXPECT_EQ(code_of(put("/a/b/c", "x")), ErrorCode::already_exists);
  EXPECT_EQ(code_of(put("/", "x")), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(put("/a/b/c", Bytes(300'000, 'x'))), ErrorCode::already_exists);
  EXPECT_EQ(code_of(put("/a", Bytes(300'000, 'x'))), ErrorCode::already_exists);
  EXPECT_EQ(taken(get("/a/b")), "file");
  EXPECT_EQ(count_rows(files::upload_marks()), 0U);
}

TEST_F(FilesService, RemovingTakesFilesLinksAndEmptyDirectories) {
  taken(put("/a/b", "file"));
  taken(files_.put_symlink({}, {.path = "/link", .target = "/a/b"}));
  EXPECT_EQ(code_of(files_.remove({}, {.path = "/a"})), ErrorCode::not_found);
  EXPECT_EQ(taken(files_.remove({}, {.path = "/link"})).kind, FileKind::symlink);
  EXPECT_EQ(taken(get("/a/b")), "file");
  EXPECT_EQ(taken(files_.remove({}, {.path = "/a/b"})).kind, FileKind::file);
  EXPECT_EQ(code_of(files_.remove({}, {.path = "/a/b"})), ErrorCode::not_found);
  EXPECT_EQ(taken(files_.remove({}, {.path = "/a"})).kind, FileKind::directory);
  EXPECT_EQ(paths("/"), "");
}

TEST_F(FilesService, LargeBodiesOfAnySizeAndRanges) {
  for (const size_t size : {262'143, 262'144, 262'145, 524'288, 3'000'000}) {
    const Bytes bytes = random_bytes(size, size);
    BytesSource body(bytes, 100'000);
    const auto stat = files_.put({}, {.path = "/big", .content_type = "x/y", .body = &body, .expected_bytes = size});
    EXPECT_EQ(taken(stat).total_size, size);
    EXPECT_EQ(taken(get("/big")), bytes);
    const OpenedFile opened = *files_.open({}, {.path = "/big"});
    for (const size_t first : {size_t{0}, size_t{1}, size_t{262'143}, size / 2, size - 1}) {
      const size_t count = std::min<size_t>(size - first, 300'000);
      ASSERT_TRUE(opened.reader->select(first, count).ok());
      EXPECT_EQ(taken(read_all(*opened.reader)), bytes.substr(first, count));
    }
  }
  EXPECT_EQ(count_rows(files::upload_marks()), 0U);
}

TEST_F(FilesService, ABodyIsStoredOnceHoweverOftenItComes) {
  const Bytes bytes = random_bytes(1'000'000);
  taken(put("/one", bytes));
  const size_t entries = count_rows(files::entry_data(archive::EntryKind::chunk));
  taken(put("/two", bytes));
  taken(put("/three/four", Bytes(1'000'000, 'x')));
  EXPECT_EQ(taken(get("/two")), bytes);
  EXPECT_EQ(taken(get("/three/four")), Bytes(1'000'000, 'x'));
  // Three full chunks are one, and the rest; each is small when packed.
  EXPECT_EQ(count_rows(files::entry_data(archive::EntryKind::chunk)), entries + 2);
}

// A source that fails in the middle.
class BrokenSource final : public ByteSource {
 public:
  Result<size_t> read(std::span<char> into) override {
    if (left_ == 0) return ErrorCode::operation_cancelled;
    const size_t count = std::min(left_, into.size());
    left_ -= count;
    std::fill_n(into.begin(), count, 'x');
    return count;
  }

 private:
  size_t left_ = 2'000'000;
};

TEST_F(FilesService, ABodyThatBreaksOffLeavesNothing) {
  BrokenSource body;
  EXPECT_EQ(code_of(files_.put({}, {.path = "/a", .body = &body})), ErrorCode::operation_cancelled);
  EXPECT_EQ(code_of(get("/a")), ErrorCode::not_found);
  EXPECT_EQ(count_rows(files::upload_marks()), 0U);
}

TEST_F(FilesService, ALimitIsALimit) {
  EXPECT_EQ(code_of(put("/a", Bytes((64u << 20) + 1, 'x'))), ErrorCode::payload_too_large);
}

TEST_F(FilesService, ContentTypesAreTold) {
  BytesSource body("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0"sv);
  EXPECT_EQ(taken(files_.put({}, {.path = "/a", .body = &body})).content_type, "image/png");
  BytesSource text("some words");
  EXPECT_EQ(taken(files_.put({}, {.path = "/b", .body = &text})).content_type, "text/plain");
}

TEST_F(FilesService, SymlinksAreFollowedAtTheEndAndOnTheWay) {
  taken(put("/data/v1/file", "one"));
  taken(files_.put_symlink({}, {.path = "/latest", .target = "/data/v1"}));
  taken(files_.put_symlink({}, {.path = "/data/up", .target = "../latest/./file"}));
  EXPECT_EQ(taken(get("/latest/file")), "one");
  EXPECT_EQ(taken(get("/data/up")), "one");
  EXPECT_EQ(taken(files_.stat({}, {.path = "/data/up"})).path, "/data/v1/file");
  const FileStat link = taken(files_.stat({}, {.path = "/data/up", .tree = {}, .follow = false}));
  EXPECT_EQ(link.kind, FileKind::symlink);
  EXPECT_EQ(link.target, "../latest/./file");
  EXPECT_EQ(paths("/latest"), "/data/v1/file ");
  EXPECT_EQ(taken(list_all("/data"))[0].target, "../latest/./file");
  EXPECT_EQ(code_of(files_.put_symlink({}, {.path = "/x", .target = ""})), ErrorCode::invalid_argument);
}

TEST_F(FilesService, SymlinksThatLeadNowhere) {
  taken(files_.put_symlink({}, {.path = "/a", .target = "/b"}));
  EXPECT_EQ(code_of(get("/a")), ErrorCode::not_found);
  taken(files_.put_symlink({}, {.path = "/b", .target = "/a"}));
  const auto cycle = get("/a");
  EXPECT_EQ(code_of(cycle), ErrorCode::invalid_argument);
  EXPECT_NE(cycle.error().message().find("cycle"), std::string_view::npos);
  for (int i = 0; i < 33; ++i) {
    const std::string path = "/l" + std::to_string(i);
    taken(files_.put_symlink({}, {.path = path, .target = "/l" + std::to_string(i + 1)}));
  }
  taken(put("/l33", "end"));
  EXPECT_EQ(taken(get("/l1")), "end");
  EXPECT_EQ(code_of(get("/l0")), ErrorCode::invalid_argument);
}

TEST_F(FilesService, Listings) {
  for (const char* path : {"/b/x.txt", "/b/c/y.md", "/b/c/d/z.txt", "/a.txt", "/c.md"}) taken(put(path, path));
  EXPECT_EQ(paths("/"), "/a.txt /b /c.md ");
  EXPECT_EQ(paths("/", {.depth = -1}), "/a.txt /b/c/d/z.txt /b/c/y.md /b/x.txt /c.md ");
  EXPECT_EQ(paths("/", {.depth = 1}), "/a.txt /b/x.txt /c.md ");
  EXPECT_EQ(paths("/b", {.depth = 1}), "/b/c/y.md /b/x.txt ");
  EXPECT_EQ(paths("/", {.depth = -1, .glob = "*.txt"}), "/a.txt /b/c/d/z.txt /b/x.txt ");
  EXPECT_EQ(paths("/", {.depth = -1, .glob = "b/*/*.md"}), "/b/c/y.md ");
  EXPECT_EQ(paths("/", {.limit = 2}), "/a.txt /b ");
  EXPECT_EQ(paths("/", {.limit = 2, .after = "b"}), "/c.md ");
  EXPECT_EQ(paths("/", {.depth = -1, .after = "b/c/d/z.txt"}), "/b/c/y.md /b/x.txt /c.md ");
  EXPECT_EQ(paths("/", {.depth = -1, .limit = 2, .after = "a.txt"}), "/b/c/d/z.txt /b/c/y.md ");
  const OpenedFile file = *files_.open({}, {.path = "/a.txt"});
  EXPECT_EQ(code_of(files_.list(file, {})), ErrorCode::invalid_argument);
}

TEST_F(FilesService, LargeDirectoriesAreListedInPages) {
  std::vector<UploadedFile> many;
  std::vector<std::string> names;
  for (int i = 0; i < 2'500; ++i) names.push_back("/d/" + std::to_string(10'000 + i));
  for (const std::string& name : names) many.push_back({.path = name, .content_type = "x/y", .chunks = {}});
  ASSERT_TRUE(uploads_.commit({}, many).ok());
  const auto listed = taken(list_all("/d"));
  ASSERT_EQ(listed.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(listed[i].path, names[i]);
  EXPECT_EQ(taken(list_all("/d", {.limit = 1'500, .after = "11000"})).front().path, "/d/11001");
}

TEST_F(FilesService, HashesNameWhatTheyStandFor) {
  const FileStat file = taken(put("/a", "bytes"));
  const OpenedFile by_hash = *files_.open_hash({}, hash_hex(file.hash));
  EXPECT_EQ(by_hash.stat.path, "/a");
  EXPECT_EQ(taken(read_all(*by_hash.reader)), "bytes");
  const OpenedFile chunk = *files_.open_hash({}, hash_hex(blake3("chunk:", "bytes")));
  EXPECT_EQ(chunk.stat.kind, FileKind::chunk);
  EXPECT_EQ(taken(read_all(*chunk.reader)), "bytes");
  const FileStat link = taken(files_.put_symlink({}, {.path = "/l", .target = "/a"}));
  EXPECT_EQ(files_.open_hash({}, hash_hex(link.hash))->stat.target, "/a");
  EXPECT_EQ(files_.open_hash({}, hash_hex(taken(files_.stat({}, {.path = "/"})).hash))->stat.kind, FileKind::directory);
  EXPECT_EQ(code_of(files_.open_hash({}, "abc")), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(files_.open_hash({}, std::string(64, '0'))), ErrorCode::not_found);
}

TEST_F(FilesService, ALostAnswerIsFoundOut) {
  taken(put("/a", "one"));
  engine_->lose_answer();
  EXPECT_TRUE(files_.remove({}, {.path = "/a"}).ok());
  EXPECT_EQ(code_of(get("/a")), ErrorCode::not_found);
  engine_->lose_commit();
  EXPECT_TRUE(put("/a", "two").ok());
  EXPECT_EQ(taken(get("/a")), "two");
  engine_->lose_answer();
  EXPECT_TRUE(versions_.make_snapshot({}, {.name = "s"}).ok());
  engine_->lose_commit();
  EXPECT_TRUE(versions_.remove_snapshot({}, "s").ok());
  EXPECT_TRUE(taken(versions_.snapshots({})).empty());
}

TEST_F(FilesService, WritersOfOneDirectoryLoseNothing) {
  constexpr int writers = 8;
  constexpr int each = 100;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; ++writer) {
    threads.emplace_back([this, writer] {
      for (int i = 0; i < each; ++i) {
        const std::string name = std::to_string(writer) + "-" + std::to_string(i);
        EXPECT_TRUE(put("/d/" + name, name).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto listed = taken(list_all("/d"));
  EXPECT_EQ(listed.size(), size_t{writers * each});
  for (const FileStat& stat : listed) EXPECT_EQ(taken(get(stat.path)), stat.name());
}

}  // namespace
}  // namespace strata::service
