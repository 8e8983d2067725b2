#include "service/file_uploads.h"

#include "layers/files/versions.h"
#include "service/files_fixture_test.h"

namespace strata::service {
namespace {

using FileUploadsTest = FileServicesTest;

Hash chunk_name(BytesView bytes) { return blake3(upload_chunk_hash_prefix, bytes); }

TEST_F(FileUploadsTest, FourPhases) {
  const Bytes first(upload_chunk_bytes, 'a');
  const Bytes second(100, 'b');
  const std::vector<Hash> names = {chunk_name(first), chunk_name(second), chunk_name(first)};
  CheckedChunks checked = taken(uploads_.check({}, names));
  EXPECT_TRUE(checked.have.empty());
  EXPECT_EQ(checked.needed, (std::vector<Hash>{names[0], names[1]}));
  EXPECT_TRUE(taken(uploads_.put_chunk({}, names[0], first)));
  EXPECT_FALSE(taken(uploads_.put_chunk({}, names[0], first)));
  checked = taken(uploads_.check({}, names));
  EXPECT_EQ(checked.have, (std::vector<Hash>{names[0]}));
  EXPECT_EQ(checked.needed, (std::vector<Hash>{names[1]}));

  const std::vector<UploadedFile> all = {{.path = "/a", .content_type = "x/y", .chunks = names},
                                         {.path = "/b/c", .chunks = {names[0]}},
                                         {.path = "/empty", .chunks = {}}};
  const auto missing = uploads_.commit({}, all);
  EXPECT_EQ(code_of(missing), ErrorCode::invalid_argument);
  EXPECT_NE(missing.error().message().find(hash_hex(names[1])), std::string_view::npos);
  EXPECT_EQ(paths("/"), "");

  EXPECT_TRUE(taken(uploads_.put_chunk({}, names[1], second)));
  const auto stats = taken(uploads_.commit({}, all));
  ASSERT_EQ(stats.size(), 3U);
  EXPECT_EQ(stats[0].total_size, 2 * first.size() + second.size());
  EXPECT_EQ(stats[1].content_type, "text/plain");
  EXPECT_EQ(taken(get("/a")), first + second + first);
  EXPECT_EQ(taken(get("/b/c")), first);
  EXPECT_EQ(taken(get("/empty")), "");
}

TEST_F(FileUploadsTest, RangesOfFilesWhoseChunksAreOfAnySize) {
  Bytes bytes;
  UploadedFile file{.path = "/a", .content_type = "x/y", .chunks = {}};
  for (const size_t size : {200'000, 0, 262'144, 1, 100'000}) {
    const Bytes chunk(size, static_cast<char>('a' + size % 7));
    taken(uploads_.put_chunk({}, chunk_name(chunk), chunk));
    file.chunks.push_back(chunk_name(chunk));
    bytes += chunk;
  }
  taken(uploads_.commit({}, std::span(&file, 1)));
  const OpenedFile opened = *files_.open({}, {.path = "/a"});
  for (const size_t first : {0, 199'999, 262'144, 462'143, 462'144, 462'145, 562'144}) {
    ASSERT_TRUE(opened.reader->select(first, bytes.size() - first).ok());
    EXPECT_EQ(taken(read_all(*opened.reader)), bytes.substr(first)) << first;
  }
}

TEST_F(FileUploadsTest, WhatIsNoChunkIsRefused) {
  EXPECT_EQ(code_of(uploads_.put_chunk({}, chunk_name("a"), "b")), ErrorCode::invalid_argument);
  const Bytes large(upload_chunk_bytes + 1, 'a');
  EXPECT_EQ(code_of(uploads_.put_chunk({}, chunk_name(large), large)), ErrorCode::invalid_argument);
  // The hash of something else that is there.
  const FileStat stat = taken(put("/a", "bytes"));
  EXPECT_EQ(taken(uploads_.check({}, {{stat.hash}})).needed.size(), 1U);
  const UploadedFile file{.path = "/b", .content_type = "x/y", .chunks = {stat.hash}};
  EXPECT_EQ(code_of(uploads_.commit({}, std::span(&file, 1))), ErrorCode::invalid_argument);
}

TEST_F(FileUploadsTest, ACommitIsAllOrNothing) {
  taken(put("/d/x", "file"));
  const std::vector<UploadedFile> all = {{.path = "/new", .content_type = "x/y", .chunks = {}},
                                         {.path = "/d", .content_type = "x/y", .chunks = {}}};
  EXPECT_EQ(code_of(uploads_.commit({}, all)), ErrorCode::already_exists);
  EXPECT_EQ(paths("/"), "/d ");
}

}  // namespace
}  // namespace strata::service
