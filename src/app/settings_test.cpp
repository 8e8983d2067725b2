#include "app/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/command_line.h"
#include "app/config_file.h"

namespace strata::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Settings> resolved(RawValues flags, RawValues environment = {}, RawValues file = {}) {
  return resolve({std::move(flags), std::move(environment), std::move(file), "strata.toml"});
}

std::string refusal(RawValues flags) {
  const auto settings = resolved(std::move(flags));
  return settings.ok() ? "accepted" : std::string(settings.error().message());
}

RawValues environment(std::map<std::string, std::string> variables) {
  return read_environment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Settings, DefaultsServeLoopbackDurably) {
  const Settings settings = resolved({}).value();
  EXPECT_EQ(settings.bind, "127.0.0.1");
  EXPECT_EQ(settings.port, 8080);
  EXPECT_EQ(settings.grpc_port, 50051);
  EXPECT_TRUE(settings.sync_commits);
  EXPECT_EQ(settings.engine, EngineKind::rocksdb);
}

TEST(Settings, FlagBeforeEnvironmentBeforeFile) {
  const RawValues flags = {{"port", {"1"}}};
  const RawValues variables = {{"port", {"2"}}, {"io-threads", {"2"}}};
  const RawValues file = {{"port", {"3"}}, {"io-threads", {"3"}}, {"max-connections", {"3"}}};
  const Settings settings = resolved(flags, variables, file).value();
  EXPECT_EQ(settings.port, 1);
  EXPECT_EQ(settings.io_threads, 2);
  EXPECT_EQ(settings.max_connections, 3);
}

TEST(Settings, ListsAreReplacedNotJoined) {
  const Settings settings = resolved({{"namespace", {"a", "b"}}}, {{"namespace", {"c"}}}).value();
  EXPECT_THAT(settings.namespaces, ElementsAre("a", "b"));
}

TEST(Settings, RefusalsNameSourceAndRange) {
  EXPECT_THAT(refusal({{"port", {"65536"}}}), HasSubstr("--port: \"65536\" is not a number from 0 to 65535"));
  for (const char* port : {"", "-1", "80x", " 80", "0x50", "99999999999999999999"}) {
    EXPECT_THAT(refusal({{"port", {port}}}), HasSubstr("is not a number")) << port;
  }
  EXPECT_THAT(refusal({{"engine", {"sqlite"}}}), HasSubstr("rocksdb or memory"));
  EXPECT_THAT(refusal({{"durability", {"fast"}}}), HasSubstr("sync or async"));
  EXPECT_THAT(refusal({{"bind", {"localhost"}}}), HasSubstr("IPv4 or IPv6"));
  EXPECT_THAT(refusal({{"log-level", {"loud"}}}), HasSubstr("debug, info"));
  EXPECT_THAT(refusal({{"header-timeout-ms", {"0"}}}), HasSubstr("from 1 to"));
  EXPECT_THAT(refusal({{"port", {"50051"}}}), HasSubstr("differ"));
  const auto by_variable = resolved({}, {{"grpc-port", {"x"}}});
  EXPECT_THAT(std::string(by_variable.error().message()), HasSubstr("STRATA_GRPC_PORT"));
  const auto by_file = resolved({}, {}, {{"grpc-port", {"x"}}});
  EXPECT_THAT(std::string(by_file.error().message()), HasSubstr("strata.toml: grpc-port"));
}

TEST(Settings, AuthIsOffInEverySpelling) {
  for (const char* off : {"false", "null", "no", "0", "disabled"}) EXPECT_TRUE(resolved({{"auth", {off}}}).ok()) << off;
  for (const char* on : {"true", "self", "self-contained", "file:///etc/x", "", "FALSE"}) {
    EXPECT_THAT(refusal({{"auth", {on}}}), HasSubstr("STRATA_API_KEYS")) << on;
  }
}

TEST(Settings, OffLoopbackNeedsKeysOrConsent) {
  EXPECT_THAT(refusal({{"bind", {"0.0.0.0"}}}), HasSubstr("--insecure"));
  EXPECT_THAT(refusal({{"bind", {"::"}}}), HasSubstr("--insecure"));
  EXPECT_TRUE(resolved({{"bind", {"0.0.0.0"}}, {"insecure", {"true"}}}).ok());
  EXPECT_TRUE(resolved({{"bind", {"0.0.0.0"}}}, {{"api-keys", {"k"}}}).ok());
}

TEST(Settings, Loopback) {
  for (const char* yes : {"127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"}) EXPECT_TRUE(is_loopback(yes)) << yes;
  for (const char* no : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::ffff:10.0.0.1", "x"}) {
    EXPECT_FALSE(is_loopback(no)) << no;
  }
}

TEST(Settings, Environment) {
  const RawValues values = environment({{"STRATA_GRPC_PORT", "1"},
                                        {"STRATA_NAMESPACE", "a, b,"},
                                        {"STRATA_PORT", ""},
                                        {"STRATA_API_KEYS", "k1,k2"},
                                        {"SWARNDB_API_KEYS", "k3"}});
  EXPECT_THAT(values.at("grpc-port"), ElementsAre("1"));
  EXPECT_THAT(values.at("namespace"), ElementsAre("a", "b"));
  EXPECT_THAT(values.at("api-keys"), ElementsAre("k1", "k2", "k3"));
  EXPECT_EQ(values.count("port"), 0u);
}

TEST(Settings, KeysMustBeUsableAndAreNotRepeated) {
  EXPECT_FALSE(resolved({}, environment({{"STRATA_API_KEYS", ","}})).ok());
  const auto refused = resolved({}, environment({{"STRATA_API_KEYS", "sec\x01ret"}}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(std::string(refused.error().message()).find("ret"), std::string::npos);
}

TEST(ConfigFile, EveryType) {
  const auto values =
      parse_config("port = 1\ninsecure = true\nengine = 'memory'\nnamespace = ['a', 'b']\napi-keys = 'k'\n", "f");
  ASSERT_TRUE(values.ok()) << values.error().message();
  EXPECT_THAT(values->at("port"), ElementsAre("1"));
  EXPECT_THAT(values->at("insecure"), ElementsAre("true"));
  EXPECT_THAT(values->at("namespace"), ElementsAre("a", "b"));
  EXPECT_THAT(values->at("api-keys"), ElementsAre("k"));
}

TEST(ConfigFile, RefusalsSayWhere) {
  auto message = [](std::string_view text) { return std::string(parse_config(text, "f").error().message()); };
  EXPECT_THAT(message("\nprot = 1\n"), HasSubstr("f:2:"));
  EXPECT_THAT(message("prot = 1\n"), HasSubstr("\"prot\" is not an option"));
  EXPECT_THAT(message("port = \n"), HasSubstr("f:1:"));
  EXPECT_THAT(message("port = 1.5\n"), HasSubstr("whole number"));
  EXPECT_THAT(message("port = [1]\n"), HasSubstr("port takes"));
  EXPECT_THAT(message("[server]\nport = 1\n"), HasSubstr("\"server\" is not an option"));
  EXPECT_THAT(message("namespace = [['a']]\n"), HasSubstr("namespace takes strings"));
  EXPECT_THAT(message("port = 1\nport = 2\n"), HasSubstr("f:2:"));
}

StartCommand start_command(std::vector<std::string> arguments) {
  const Command command = parse_command_line(std::move(arguments));
  EXPECT_TRUE(std::holds_alternative<StartCommand>(command));
  return std::get<StartCommand>(command);
}

PrintCommand printed(std::vector<std::string> arguments) {
  const Command command = parse_command_line(std::move(arguments));
  EXPECT_TRUE(std::holds_alternative<PrintCommand>(command));
  return std::get<PrintCommand>(command);
}

TEST(CommandLine, StartTakesEveryOption) {
  const StartCommand command = start_command({"start", "-D", "d", "-p", "1", "--namespace", "a", "--namespace=b",
                                              "--insecure", "--config", "c.toml", "--log-format=json"});
  EXPECT_EQ(command.config_file, "c.toml");
  EXPECT_THAT(command.flags.at("database"), ElementsAre("d"));
  EXPECT_THAT(command.flags.at("port"), ElementsAre("1"));
  EXPECT_THAT(command.flags.at("namespace"), ElementsAre("a", "b"));
  EXPECT_THAT(command.flags.at("insecure"), ElementsAre("true"));
  EXPECT_EQ(command.flags.size(), 5u);
  EXPECT_THAT(start_command({"start", "--insecure=false"}).flags.at("insecure"), ElementsAre("false"));
}

TEST(CommandLine, MistakesEndWithTwo) {
  const std::vector<std::vector<std::string>> mistakes = {{},
                                                          {"stop"},
                                                          {"start", "--prot", "1"},
                                                          {"start", "extra"},
                                                          {"start", "--port"},
                                                          {"start", "--port", "1", "--port", "2"},
                                                          {"start", "--api-keys", "k"},
                                                          {"version", "x"}};
  for (const auto& arguments : mistakes) {
    EXPECT_EQ(printed(arguments).exit, Exit::usage) << testing::PrintToString(arguments);
  }
}

TEST(CommandLine, HelpNamesEveryOptionAndTheExitCodes) {
  const PrintCommand help = printed({"start", "--help"});
  EXPECT_EQ(help.exit, Exit::ok);
  for (const OptionRow& row : option_rows()) {
    if (row.kind != OptionKind::secret) EXPECT_THAT(help.text, HasSubstr("--" + std::string(row.name)));
  }
  EXPECT_THAT(help.text, HasSubstr("Exit codes"));
  EXPECT_EQ(printed({"--help"}).exit, Exit::ok);
}

TEST(CommandLine, OtherCommands) {
  EXPECT_TRUE(std::holds_alternative<VersionCommand>(parse_command_line({"version"})));
  const Command check = parse_command_line({"check", "--database", "d"});
  EXPECT_EQ(std::get<CheckCommand>(check).database, "d");
}

}  // namespace
}  // namespace strata::app
