// What the tests of the services of versioned files begin with: a store in memory and the services over it.
#pragma once

#include <gtest/gtest.h>

#include "base/memory_stream.h"
#include "engine/memory/memory_engine.h"
#include "service/file_uploads.h"
#include "service/file_versions.h"
#include "service/files.h"
#include "service/intercepted_engine_test.h"

namespace strata::service {

class FileServicesTest : public testing::Test {
 protected:
  // Answers "" and the hash of nothing after an error, which is then the test's.
  template <class T>
  static T taken(Result<T> result) {
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
    return result.ok() ? *std::move(result) : T{};
  }
  static ErrorCode code_of(const auto& result) { return result.ok() ? ErrorCode::internal : result.error().code(); }

  Result<FileStat> put(std::string_view path, BytesView bytes, std::string_view fork = {}) {
    BytesSource body(bytes);
    return files_.put({}, {.path = path, .content_type = "text/plain", .fork = fork, .body = &body});
  }
  static Result<Bytes> read_all(FileReader& reader) {
    Bytes all;
    for (;;) {
      ASSIGN_OR_RETURN(const BytesView piece, reader.next());
      if (piece.empty()) return all;
      all.append(piece);
    }
  }
  Result<Bytes> get(std::string_view path, const FileTree& tree = {}) {
    ASSIGN_OR_RETURN(const OpenedFile opened, files_.open({}, {.path = path, .tree = tree}));
    if (!opened.reader) return Error(ErrorCode::invalid_argument, "not a file");
    return read_all(*opened.reader);
  }
  Result<std::vector<FileStat>> list_all(std::string_view path, const ListFilesRequest& request = {},
                                         const FileTree& tree = {}) {
    ASSIGN_OR_RETURN(const OpenedFile opened, files_.open({}, {.path = path, .tree = tree}));
    ASSIGN_OR_RETURN(FileListing listing, files_.list(opened, request));
    std::vector<FileStat> all;
    while (!listing.done()) {
      ASSIGN_OR_RETURN(auto page, listing.next({}));
      for (FileStat& stat : page) all.push_back(std::move(stat));
    }
    return all;
  }
  std::string paths(std::string_view path, const ListFilesRequest& request = {}) {
    std::string text;
    for (const FileStat& stat : taken(list_all(path, request))) text += stat.path + " ";
    return text;
  }
  // Rows of an entry kind, whoever needs them.
  size_t count_rows(const kv::KeyRange& range) {
    kv::Transaction transaction = database_.create_transaction();
    size_t count = 0;
    for (kv::RangeIterator rows(transaction, range.begin, range.end); rows.next();) ++count;
    return count;
  }

  ManualClock clock_;
  std::shared_ptr<kv::InterceptedEngine> engine_ = std::make_shared<kv::InterceptedEngine>(
      std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.clock = &clock_}));
  kv::Database database_{engine_, {.clock = &clock_, .max_retry_delay_ms = 1}};
  FileSystem system_{database_, {.clock = &clock_, .max_file_bytes = 64u << 20}};
  Files files_{system_};
  FileVersions versions_{system_};
  FileUploads uploads_{system_};
};

}  // namespace strata::service
