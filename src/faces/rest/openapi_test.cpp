#include "faces/rest/openapi.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "faces/rest/all_routes.h"

namespace strata::rest {
namespace {

std::vector<const Route*> rows() {
  std::vector<const Route*> routes;
  for (const std::span<const Route> table : all_routes()) {
    for (const Route& route : table) routes.push_back(&route);
  }
  return routes;
}

// One path a line, so that a difference is readable.
std::string in_lines(std::string document) {
  for (size_t at = 0; (at = document.find("\"/", at)) != std::string::npos; at += 3) document.insert(at, "\n");
  return document + "\n";
}

TEST(OpenApi, IsTheGoldenFile) {
  const std::string path = STRATA_GOLDEN_DIRECTORY "/openapi.json";
  const std::string made = in_lines(openapi_document(rows(), "0.1.0"));
  if (std::getenv("STRATA_UPDATE_GOLDEN")) std::ofstream(path) << made;
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(golden.str(), made) << "the API changed: if that is meant, run again with STRATA_UPDATE_GOLDEN=1";
}

TEST(OpenApi, IsValid) {
  const std::vector<const Route*> routes = rows();
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(openapi_document(routes, "1.2.3")).get(document), simdjson::SUCCESS);
  EXPECT_EQ(std::string_view(document["openapi"]), "3.0.3");
  EXPECT_EQ(std::string_view(document["info"]["version"]), "1.2.3");
  size_t operations = 0;
  std::set<std::string> ids;
  for (auto [path, verbs] : simdjson::dom::object(document["paths"])) {
    for (auto [verb, operation] : simdjson::dom::object(verbs)) {
      ++operations;
      EXPECT_TRUE(ids.insert(std::string(std::string_view(operation["operationId"]))).second);
      EXPECT_FALSE(std::string_view(operation["summary"]).empty()) << path;
      EXPECT_EQ(simdjson::dom::array(operation["tags"]).size(), 1u);
      // Every {name} of the path is declared, once, and nothing else is in the path.
      std::multiset<std::string> declared;
      simdjson::dom::array parameters;
      if (operation["parameters"].get(parameters) == simdjson::SUCCESS) {
        for (auto parameter : parameters) {
          const std::string_view in = parameter["in"];
          EXPECT_TRUE(in == "path" || in == "query" || in == "header") << path;
          EXPECT_EQ(parameter["schema"].error(), simdjson::SUCCESS) << path;
          if (in == "path") declared.insert(std::string(std::string_view(parameter["name"])));
        }
      }
      std::multiset<std::string> used;
      for (size_t at = path.find('{'); at != std::string_view::npos; at = path.find('{', at + 1)) {
        used.insert(std::string(path.substr(at + 1, path.find('}', at) - at - 1)));
      }
      EXPECT_EQ(declared, used) << path;
      bool success = false;
      for (auto [status, response] : simdjson::dom::object(operation["responses"])) {
        success |= status.starts_with('2');
        EXPECT_FALSE(std::string_view(response["description"]).empty());
      }
      EXPECT_TRUE(success) << path;
    }
  }
  EXPECT_EQ(operations, routes.size());
}

Result<Response> unused(Services&, Request&) { return Response(); }

TEST(OpenApi, ShowsWhatTheRowSays) {
  const Route rows[] = {{.method = Method::put,
                         .path = "/a/{name}/{rest*}",
                         .operation = "putA",
                         .permission = Permission::write,
                         .body = BodyKind::json,
                         .tag = "T",
                         .summary = "S \"quoted\"",
                         .parameters = R"([{"name":"q","in":"query","schema":{"type":"string"}}])",
                         .request_schema = R"({"type":"object"})",
                         .response_schema = R"({"type":"array"})",
                         .success_status = 201,
                         .error_statuses = "[404,409]",
                         .handler = unused}};
  const Route* pointers[] = {rows};
  const std::string document = openapi_document(pointers, "1");
  for (const char* part :
       {R"("/a/{name}/{rest}":{"put":{"operationId":"putA","summary":"S \"quoted\"","tags":["T"],)",
        R"("parameters":[{"name":"name","in":"path","required":true,"schema":{"type":"string"}},)"
        R"({"name":"rest","in":"path","required":true,"schema":{"type":"string"}},)"
        R"({"name":"q","in":"query","schema":{"type":"string"}}],)",
        R"("requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object"}}}},)",
        R"("responses":{"201":{"description":"Created","content":{"application/json":{"schema":{"type":"array"}}}},)",
        R"("404":{"description":"Not Found")", R"("409":)", R"("401":)", R"("413":)"}) {
    EXPECT_NE(document.find(part), std::string::npos) << part << "\nin " << document;
  }
}

}  // namespace
}  // namespace strata::rest
