#include "faces/grpc/dispatcher.h"

#include <gmock/gmock.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <deque>
#include <stdexcept>

namespace strata::rpc {
namespace {

using google::protobuf::StringValue;
using google::protobuf::UInt64Value;
using ::testing::HasSubstr;

class FakeCall final : public Call {
 public:
  Result<bool> read(MessageLite& message) override {
    ++reads;
    if (messages.empty()) return false;
    const bool parsed = message.ParseFromString(messages.front());
    messages.pop_front();
    if (!parsed) return ErrorCode::invalid_argument;
    return true;
  }
  Result<void> write(const MessageLite&) override { return {}; }
  Result<void> answer(const MessageLite& message) override {
    answered = message.SerializeAsString();
    return {};
  }
  Arena& arena() override { return arena_; }

  std::deque<std::string> messages;
  std::optional<std::string> answered;
  int reads = 0;

 private:
  Arena arena_;
};

Result<void> length(Call&, const StringValue& request, UInt64Value& response) {
  if (request.value() == "missing") return Error(ErrorCode::not_found, "collection 'missing' not found");
  if (request.value() == "twice") return Error(ErrorCode::already_exists, "vector id 7 already exists");
  if (request.value() == "throw") throw std::runtime_error("of a library");
  if (request.value() == "long") return Error(ErrorCode::invalid_argument, std::string(100'000, 'x'));
  response.set_value(request.value().size());
  return {};
}

Result<void> deadline(Call& call, const StringValue&, UInt64Value& response) {
  response.set_value(static_cast<uint64_t>(call.context().deadline_steady_us));
  return {};
}

Result<void> cancelled(Call&, const StringValue&, UInt64Value&) { return ErrorCode::operation_cancelled; }

const Rpc rows[] = {
    {.path = "/a.B/Open", .permission = Permission::none, .handler = unary<length>},
    {.path = "/a.B/Read", .handler = unary<length>},
    {.path = "/a.B/Insert", .permission = Permission::write, .duplicate_is_argument = true, .handler = unary<length>},
    {.path = "/a.B/Deadline", .handler = unary<deadline>},
    {.path = "/a.C/Endless", .timeout_ms = -1, .handler = unary<deadline>},
    {.path = "/a.C/Cancelled", .timeout_ms = 5, .handler = unary<cancelled>},
};
enum { open_row, read_row, insert_row, deadline_row, endless_row, cancelled_row };

class GrpcDispatcherTest : public ::testing::Test {
 protected:
  GrpcDispatcherTest() { services.clock = &clock; }

  Outcome run(size_t row, const std::string& value, const Credentials& credentials = {}, int64_t deadline_us = 0) {
    FakeCall call;
    StringValue request;
    request.set_value(value);
    call.messages.push_back(request.SerializeAsString());
    Outcome outcome = dispatcher.run(row, call, credentials, deadline_us);
    reads = call.reads;
    answered.reset();
    if (call.answered) {
      UInt64Value response;
      EXPECT_TRUE(response.ParseFromString(*call.answered));
      answered = response.value();
    }
    return outcome;
  }

  ManualClock clock{1'000'000};
  Services services;
  MetricsRegistry metrics;
  Dispatcher dispatcher{{rows}, services, metrics, {.api_keys = {"one"}, .request_timeout_ms = 60'000}};
  int reads = 0;
  std::optional<uint64_t> answered;
};

TEST_F(GrpcDispatcherTest, StrangersGetNoWorkDone) {
  EXPECT_EQ(run(open_row, "abc").code, StatusCode::ok);
  EXPECT_EQ(answered, 3u);
  EXPECT_EQ(run(read_row, "abc").code, StatusCode::unauthenticated);
  EXPECT_EQ(reads, 0);
  EXPECT_EQ(run(read_row, "abc", {.api_key = "two"}).code, StatusCode::unauthenticated);
  EXPECT_EQ(run(read_row, "abc", {.api_key = "one"}).code, StatusCode::ok);
  EXPECT_EQ(run(insert_row, "abc", {.authorization = "Bearer one"}).code, StatusCode::ok);
  EXPECT_EQ(reads, 1);
}

TEST_F(GrpcDispatcherTest, ErrorsBecomeStatuses) {
  const Outcome missing = run(open_row, "missing");
  EXPECT_EQ(missing.code, StatusCode::not_found);
  EXPECT_EQ(missing.message, "collection 'missing' not found");
  EXPECT_FALSE(answered);
  EXPECT_EQ(run(open_row, "twice").code, StatusCode::already_exists);
  EXPECT_EQ(run(insert_row, "twice", {.api_key = "one"}).code, StatusCode::invalid_argument);
  const Outcome thrown = run(open_row, "throw");
  EXPECT_EQ(thrown.code, StatusCode::internal);
  EXPECT_THAT(thrown.message, HasSubstr("of a library"));
  EXPECT_EQ(run(open_row, "long").message.size(), 1'500u);
}

TEST_F(GrpcDispatcherTest, ACallWithoutAMessage) {
  FakeCall call;
  EXPECT_EQ(dispatcher.run(open_row, call, {}, 0).code, StatusCode::invalid_argument);
}

TEST_F(GrpcDispatcherTest, TheClientsDeadlineCountsElseTheServers) {
  const Credentials key{.api_key = "one"};
  EXPECT_EQ(run(deadline_row, "", key).code, StatusCode::ok);
  const uint64_t ours = static_cast<uint64_t>(clock.steady_us()) + 60'000'000;
  EXPECT_EQ(answered, ours);
  EXPECT_EQ(run(deadline_row, "", key, 1'000'500).code, StatusCode::ok);
  EXPECT_EQ(answered, 1'000'500u);
  EXPECT_EQ(run(deadline_row, "", key, 900'000'000).code, StatusCode::ok);
  EXPECT_EQ(answered, 900'000'000u);
  EXPECT_EQ(run(endless_row, "", key).code, StatusCode::ok);
  EXPECT_EQ(answered, 0u);
  EXPECT_EQ(run(endless_row, "", key, 7).code, StatusCode::ok);
  EXPECT_EQ(answered, 7u);
}

TEST_F(GrpcDispatcherTest, CancelledByTheDeadlineOrTheClient) {
  const Credentials key{.api_key = "one"};
  EXPECT_EQ(run(cancelled_row, "", key).code, StatusCode::cancelled);
  EXPECT_EQ(run(cancelled_row, "", key, 1).code, StatusCode::deadline_exceeded);
}

TEST_F(GrpcDispatcherTest, NothingIsTakenWhileTheServerEnds) {
  dispatcher.begin_drain();
  EXPECT_EQ(run(open_row, "abc").code, StatusCode::unavailable);
  EXPECT_EQ(reads, 0);
}

TEST_F(GrpcDispatcherTest, CountsByMethodAndCode) {
  run(open_row, "abc");
  run(open_row, "missing");
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr(R"(strata_grpc_requests_total{code="OK",method="/a.B/Open"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(strata_grpc_requests_total{code="NOT_FOUND",method="/a.B/Open"} 1)"));
  EXPECT_THAT(services.service_names, ::testing::ElementsAre("a.B", "a.C"));
}

TEST(GrpcStatus, EveryErrorHasOne) {
#define STRATA_EXPECT_STATUS(name, number, http, message) \
  EXPECT_NE(status_name(status_code(ErrorCode::name)), "OK") << #name;
  STRATA_ERRORS(STRATA_EXPECT_STATUS)
#undef STRATA_EXPECT_STATUS
  EXPECT_EQ(status_code(ErrorCode::not_found), StatusCode::not_found);
  EXPECT_EQ(status_code(ErrorCode::conflict), StatusCode::aborted);
  EXPECT_EQ(status_code(ErrorCode::not_committed), StatusCode::aborted);
  EXPECT_EQ(status_code(ErrorCode::corruption), StatusCode::data_loss);
  EXPECT_EQ(status_code(ErrorCode::too_many_requests), StatusCode::resource_exhausted);
  EXPECT_EQ(status_code(ErrorCode::payload_too_large), StatusCode::resource_exhausted);
  EXPECT_EQ(status_code(ErrorCode::transaction_timed_out), StatusCode::deadline_exceeded);
  EXPECT_EQ(status_code(ErrorCode::commit_unknown_result), StatusCode::unavailable);
  EXPECT_EQ(status_code(ErrorCode::unimplemented), StatusCode::unimplemented);
  EXPECT_EQ(status_code(ErrorCode::internal), StatusCode::internal);
}

}  // namespace
}  // namespace strata::rpc
