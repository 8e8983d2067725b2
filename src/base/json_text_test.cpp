#include "base/json_text.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

// Behind the string that `text` begins with; npos: it does not end.
size_t end_of(BytesView text) {
  size_t at = 0;
  return skip_json_string(text, at) ? at : BytesView::npos;
}

TEST(JsonText, AStringEndsAtTheFirstQuoteThatIsNotEscaped) {
  EXPECT_EQ(end_of(R"("")"), 2u);
  EXPECT_EQ(end_of(R"("abc",1)"), 5u);
  EXPECT_EQ(end_of(R"("a\"b" )"), 6u);
  EXPECT_EQ(end_of(R"("a\\" )"), 5u);
  EXPECT_EQ(end_of(R"("a\\\"" )"), 7u);
  EXPECT_EQ(end_of(R"("\\\\""")"), 6u);
  EXPECT_EQ(end_of(R"(")"), BytesView::npos);
  EXPECT_EQ(end_of(R"("\")"), BytesView::npos);
  EXPECT_EQ(end_of(R"("\\\")"), BytesView::npos);
}

TEST(JsonText, AStringInTheMiddleDoesNotLookAtWhatIsBeforeIt) {
  const BytesView text = R"(\"a")";
  size_t at = 1;
  EXPECT_TRUE(skip_json_string(text, at));
  EXPECT_EQ(at, text.size());
}

TEST(JsonText, BlanksOutsideOfStringsAreSeen) {
  EXPECT_FALSE(has_json_blanks(R"({"a b":"c \" d","e":[1,true]})"));
  EXPECT_TRUE(has_json_blanks(R"({"a" :1})"));
  EXPECT_TRUE(has_json_blanks("{\"a\":\n1}"));
  EXPECT_TRUE(has_json_blanks("\t{}"));
  EXPECT_TRUE(has_json_blanks(R"({"a":"\\" })"));
  EXPECT_FALSE(has_json_blanks(""));
  EXPECT_FALSE(has_json_blanks(R"("open and )"));
}

}  // namespace
}  // namespace strata
