#include "faces/rest/router.h"

#include <gtest/gtest.h>

namespace strata::rest {
namespace {

Result<Response> unused(Services&, Request&) { return Response(); }

const Route rows[] = {
    {.method = Method::put, .path = "/api/v1/{namespace}", .operation = "putNamespace", .handler = unused},
    {.method = Method::get, .path = "/api/v1/{namespace}/kv/{key}", .operation = "getKv", .handler = unused},
    {.method = Method::put, .path = "/api/v1/{namespace}/kv/{key}", .operation = "putKv", .handler = unused},
    {.method = Method::post, .path = "/api/v1/{namespace}/kv/batch", .operation = "batchKv", .handler = unused},
    {.method = Method::get, .path = "/api/v1/collections", .operation = "listCollections", .handler = unused},
    {.method = Method::get, .path = "/api/v1/collections/{name}/stats", .operation = "stats", .handler = unused},
    {.method = Method::get, .path = "/files/{path*}", .operation = "getFile", .handler = unused},
    {.method = Method::get, .path = "/files/index", .operation = "getIndex", .handler = unused},
    {.method = Method::get, .path = "/one/{a}/x", .also_at = "/other/{a}", .operation = "both", .handler = unused},
    {.method = Method::get, .path = "/", .operation = "root", .handler = unused},
};

class RouterTest : public testing::Test {
 protected:
  // "operation name=value ...", or "allow ..." where the path exists for other verbs, or "none".
  std::string match(Method method, std::string_view path) {
    Router::Match match;
    router.match(method, path, match);
    if (match.route == Router::no_route) return match.allowed == 0 ? "none" : "allow " + allow_header(match.allowed);
    std::string out(rows[match.route].operation);
    for (size_t i = 0; i < match.param_count; ++i) {
      out.append(" ").append(match.params[i].name).append("=").append(match.params[i].value);
    }
    return out;
  }

  std::vector<const Route*> pointers = [] {
    std::vector<const Route*> all;
    for (const Route& row : rows) all.push_back(&row);
    return all;
  }();
  Router router{pointers};
};

TEST_F(RouterTest, ParametersTakeOneSegment) {
  EXPECT_EQ(match(Method::get, "/api/v1/ns/kv/key"), "getKv namespace=ns key=key");
  EXPECT_EQ(match(Method::get, "/api/v1/ns/kv/a%2Fb"), "getKv namespace=ns key=a%2Fb");
  EXPECT_EQ(match(Method::get, "/api/v1/ns/kv/a/b"), "none");
  EXPECT_EQ(match(Method::get, "/api/v1/ns/kv/.."), "getKv namespace=ns key=..");
}

TEST_F(RouterTest, EmptySegmentsMatchNothing) {
  EXPECT_EQ(match(Method::get, "/api/v1/ns/kv/"), "none");
  EXPECT_EQ(match(Method::get, "/api/v1//kv/key"), "none");
  EXPECT_EQ(match(Method::get, "//api/v1/ns/kv/key"), "none");
  EXPECT_EQ(match(Method::get, "/files/"), "none");
}

TEST_F(RouterTest, LiteralsWinAndGiveWayByVerb) {
  EXPECT_EQ(match(Method::post, "/api/v1/ns/kv/batch"), "batchKv namespace=ns");
  EXPECT_EQ(match(Method::get, "/api/v1/ns/kv/batch"), "getKv namespace=ns key=batch");
  EXPECT_EQ(match(Method::get, "/api/v1/collections"), "listCollections");
  EXPECT_EQ(match(Method::put, "/api/v1/collections"), "putNamespace namespace=collections");
  EXPECT_EQ(match(Method::get, "/api/v1/collections/kv/stats"), "stats name=kv");
  EXPECT_EQ(match(Method::get, "/api/v1/collections/kv/key"), "getKv namespace=collections key=key");
}

TEST_F(RouterTest, GreedyTakesTheRest) {
  EXPECT_EQ(match(Method::get, "/files/a/b//c/"), "getFile path=a/b//c/");
  EXPECT_EQ(match(Method::get, "/files/index"), "getIndex");
  EXPECT_EQ(match(Method::get, "/files/index/x"), "getFile path=index/x");
}

TEST_F(RouterTest, RootTrailingSlashAndUnknown) {
  EXPECT_EQ(match(Method::get, "/"), "root");
  EXPECT_EQ(match(Method::get, "/api/v1/collections/"), "none");
  EXPECT_EQ(match(Method::get, "/nothing"), "none");
  EXPECT_EQ(match(Method::get, "nothing"), "none");
  EXPECT_EQ(match(Method::get, ""), "none");
}

TEST_F(RouterTest, HeadIsGetAndOtherVerbsAreNamed) {
  EXPECT_EQ(match(Method::head, "/api/v1/ns/kv/key"), "getKv namespace=ns key=key");
  EXPECT_EQ(match(Method::delete_, "/api/v1/ns/kv/key"), "allow GET, HEAD, PUT, OPTIONS");
  EXPECT_EQ(match(Method::delete_, "/api/v1/ns/kv/batch"), "allow GET, HEAD, POST, PUT, OPTIONS");
  EXPECT_EQ(match(Method::other, "/"), "allow GET, HEAD, OPTIONS");
}

TEST(PercentDecode, EveryByteAndBadEncodings) {
  Bytes out;
  EXPECT_TRUE(percent_decode("%00%2f%2F%fF+x", false, out));
  EXPECT_EQ(out, (Bytes("\0//\xFF+x", 6)));
  out.clear();
  EXPECT_TRUE(percent_decode("a+b%2B", true, out));
  EXPECT_EQ(out, "a b+");
  for (const char* bad : {"%", "%2", "%2g", "%g2", "a%", "%%41", "% 1"}) {
    out.clear();
    EXPECT_FALSE(percent_decode(bad, false, out)) << bad;
  }
}

TEST_F(RouterTest, ARouteCanBeServedAtASecondPath) {
  EXPECT_EQ(match(Method::get, "/one/v/x"), "both a=v");
  EXPECT_EQ(match(Method::get, "/other/v"), "both a=v");
  EXPECT_EQ(match(Method::post, "/other/v"), "allow GET, HEAD, OPTIONS");
  EXPECT_EQ(match(Method::get, "/one/v"), "none");
}

}  // namespace
}  // namespace strata::rest
