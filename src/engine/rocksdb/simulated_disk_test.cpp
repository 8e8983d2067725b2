#include "engine/rocksdb/testing/simulated_disk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace strata::kv {
namespace {

// Hooks write to what belongs to the test, and the store calls from many threads.
TEST(SimulatedDisk, ItsHookIsCalledByOneThreadAtATimeAndNoMoreOnceItIsReplaced) {
  SimulatedDisk disk;
  std::atomic<bool> inside = false, done = false;
  std::atomic<int> together = 0, calls = 0, late = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, name = "/f" + std::to_string(i)] {
      std::unique_ptr<rocksdb::FSWritableFile> file;
      ASSERT_TRUE(disk.NewWritableFile(name, {}, &file, nullptr).ok());
      while (!done) ASSERT_TRUE(file->Append("x", {}, nullptr).ok());
    });
  }
  for (int round = 0; round < 200; ++round) {
    std::atomic<bool> ended = false;
    disk.watch_changes([&](int64_t) {
      together += inside.exchange(true) ? 1 : 0;
      std::this_thread::yield();
      late += ended ? 1 : 0;
      ++calls;
      inside = false;
    });
    const int before = calls;
    while (calls == before) std::this_thread::yield();
    disk.watch_changes(nullptr);
    ended = true;
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, 0);
  EXPECT_EQ(late, 0);
}

}  // namespace
}  // namespace strata::kv
