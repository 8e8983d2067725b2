#include "service/file_writer.h"

#include <latch>
#include <thread>

#include "service/files_fixture_test.h"

namespace strata::service {
namespace {

// Puts a file below so many directories of its own.
Result<FileStat> put_deep(Files& files, size_t number, size_t depth) {
  std::string path = "/" + std::to_string(number);
  for (size_t i = 0; i < depth; ++i) path += "/d";
  BytesSource body("bytes");
  return files.put({}, {.path = path, .content_type = "text/plain", .body = &body});
}

TEST(FileWriter, WhatIsTooMuchForOneTransactionIsDoneInSeveral) {
  constexpr size_t writers = 16;
  auto engine = std::make_shared<kv::InterceptedEngine>(
      std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{.limits = {.transaction_bytes = 50'000}}));
  kv::Database database(engine);
  FileSystem system(database, {});
  Files files(system);
  // All others wait for the first, and come together then. Each fits alone but one, which fits nowhere.
  std::latch begun(writers);
  engine->intercept([&](kv::Engine& target, kv::CommitRequest request) -> Result<kv::Committed> {
    begun.wait();
    return target.commit(std::move(request)).get();
  });
  std::vector<Result<FileStat>> done(writers, FileStat());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      begun.count_down();
      done[i] = put_deep(files, i, i == 1 ? 250 : 60);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < writers; ++i) {
    if (i == 1) continue;
    EXPECT_TRUE(done[i].ok()) << i << ": " << done[i].error().message();
  }
  EXPECT_EQ(done[1].ok() ? ErrorCode::internal : done[1].error().code(), ErrorCode::transaction_too_large);
  const OpenedFile root = *files.open({}, {.path = "/"});
  EXPECT_EQ(files.list(root, {})->next()->size(), writers - 1);
}

}  // namespace
}  // namespace strata::service
