#include "service/api_keys.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace strata::service {
namespace {

std::string encoded(std::string_view text) {
  Bytes out;
  append_base64(out, text);
  return out;
}

class ApiKeysTest : public ::testing::Test {
 protected:
  std::string_view named(std::string_view api_key, const std::string& authorization) {
    const auto found = keys.check(api_key, authorization);
    return found.ok() ? *found : std::string_view("refused");
  }

  ApiKeys keys{{"plain", "ci:s3cret", "ops:a:b"}};
};

TEST_F(ApiKeysTest, AKeyAsItIs) {
  EXPECT_EQ(named("plain", ""), "api-key");
  EXPECT_EQ(named("ci:s3cret", ""), "ci");
  EXPECT_EQ(named("", "Bearer plain"), "api-key");
  EXPECT_EQ(named("", "bearer   ci:s3cret"), "ci");
  for (const char* wrong : {"Plain", "plai", "plainx", "s3cret", "ci", "ci:", ":s3cret", "cl:s3cret"}) {
    EXPECT_EQ(named(wrong, ""), "refused") << wrong;
    EXPECT_EQ(named("", std::string("Bearer ") + wrong), "refused") << wrong;
  }
}

TEST_F(ApiKeysTest, AnIdAndItsSecretInBase64) {
  for (const std::string scheme : {"Bearer ", "ApiKey ", "Basic ", "APIKEY ", "basic  "}) {
    EXPECT_EQ(named("", scheme + encoded("ci:s3cret")), "ci") << scheme;
    EXPECT_EQ(named("", scheme + encoded("ops:a:b")), "ops") << scheme;
    // A key without an id goes with every one.
    EXPECT_EQ(named("", scheme + encoded("anybody:plain")), "api-key") << scheme;
    EXPECT_EQ(named("", scheme + encoded(":plain")), "api-key") << scheme;
    for (const char* wrong : {"ci:s3cre", "ci:S3cret", "cx:s3cret", "ci", "plain", "plain:", "x:ci:s3cret", "ops:a",
                              "s3cret:ci", "a:b", ":", ""}) {
      EXPECT_EQ(named("", scheme + encoded(wrong)), "refused") << scheme << wrong;
    }
  }
}

TEST_F(ApiKeysTest, WhatIsNoCredential) {
  const std::string pair = encoded("ci:s3cret");
  for (const std::string& wrong :
       {std::string(), std::string("Basic"), std::string("Basic "), std::string("Basic !!!!"), pair,
        std::string("Basic ci:s3cret"), std::string("ApiKey plain"), std::string("Digest ") + pair,
        std::string("Basic") + pair, std::string("Basic ") + pair.substr(0, pair.size() - 1),
        std::string("Basic ") + pair + " "}) {
    EXPECT_EQ(named("", wrong), "refused") << wrong;
  }
  // The one header is not made good by the other.
  EXPECT_EQ(named("wrong", "Bearer plain"), "refused");
  EXPECT_EQ(named("", "").size(), 7u);
  EXPECT_EQ(keys.check("", "").error().code(), ErrorCode::unauthenticated);
  EXPECT_FALSE(keys.empty());
  EXPECT_TRUE(ApiKeys({}).empty());
}

}  // namespace
}  // namespace strata::service
