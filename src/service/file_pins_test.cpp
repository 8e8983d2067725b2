#include "service/file_pins.h"

#include <gtest/gtest.h>

#include <thread>

namespace strata::service {
namespace {

TEST(FilePins, WhatIsPinnedIsAnsweredUntilTheLastPinOfItDies) {
  const auto pins = std::make_shared<FilePins>();
  const Hash hash = blake3("chunk:", "a");
  FilePins::Pin first = pins->pin(FileKind::file, hash);
  FilePins::Pin second = pins->pin(FileKind::file, hash);
  first.reset();
  EXPECT_EQ(pins->settle(), (std::vector<FilePins::Pinned>{{FileKind::file, hash}}));
  second.reset();
  EXPECT_TRUE(pins->settle().empty());
}

TEST(FilePins, SettlingWaitsForTicketsFromBeforeAndForNoOthers) {
  const auto pins = std::make_shared<FilePins>();
  const Hash hash = blake3("chunk:", "a");
  FilePins::Pin ticket = pins->enter();
  std::vector<FilePins::Pinned> settled;
  std::thread collector([&] { settled = pins->settle(); });
  const FilePins::Pin pin = pins->pin(FileKind::directory, hash);
  ticket.reset();
  collector.join();
  // The ticket was given back behind the pin: whenever settle() was called, it has seen it.
  EXPECT_EQ(settled.size(), 1U);
  // A ticket of after the first call is one of before the next; none is out twice.
  EXPECT_EQ(pins->settle().size(), 1U);
}

TEST(FilePins, CollectionsAndImportsKeepEachOtherOut) {
  const auto pins = std::make_shared<FilePins>();
  {
    const auto first = pins->hold_off_collections();
    const auto second = pins->hold_off_collections();
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(pins->begin_collection().error().code(), ErrorCode::conflict);
  }
  const auto collection = pins->begin_collection();
  ASSERT_TRUE(collection.ok());
  EXPECT_EQ(pins->begin_collection().error().code(), ErrorCode::conflict);
  EXPECT_EQ(pins->hold_off_collections().error().code(), ErrorCode::conflict);
}

}  // namespace
}  // namespace strata::service
