#include "base/percent.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(Percent, EverythingButTheUnreservedIsEncoded) {
  EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encode(BytesView("/ %\0\xFF", 5)), "%2F%20%25%00%FF");
  Bytes path;
  append_percent_encoded(path, "a b/c", true);
  EXPECT_EQ(path, "a%20b/c");
}

}  // namespace
}  // namespace strata
