#include "blobs/s3_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/random.h"

extern char** environ;

namespace strata::blobs {
namespace {

constexpr size_t piece_bytes = 8u << 20;

// tests/s3/server.py, for the length of a test.
class S3Server {
 public:
  explicit S3Server(std::vector<std::string> arguments = {}) {
    int out[2];
    int in[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    std::vector<std::string> words = {"python3", STRATA_S3_SERVER, "--bucket", "backups"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    EXPECT_EQ(posix_spawnp(&process_, "/usr/bin/python3", &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    input_ = in[1];
    std::string line;
    for (char c; ::read(out[0], &c, 1) == 1 && c != '\n';) line.push_back(c);
    close(out[0]);
    EXPECT_TRUE(line.starts_with("s3 ready ")) << line;
    endpoint_ = "http://127.0.0.1:" + line.substr(line.rfind(' ') + 1);
  }
  ~S3Server() {
    close(input_);
    waitpid(process_, nullptr, 0);
  }

  S3Options options() const {
    return {.endpoint = endpoint_,
            .access_key_id = "test-key",
            .secret_access_key = "test-secret",
            .session_token = {},
            .ca_file = {},
            .first_pause_ms = 1};
  }
  S3Store store(Cancelled cancelled = {}) const { return {options(), "backups", "some/place/", std::move(cancelled)}; }
  void kill() { ::kill(process_, SIGKILL); }

 private:
  pid_t process_ = -1;
  int input_ = -1;
  std::string endpoint_;
};

Bytes random_bytes(size_t size, uint64_t seed) {
  Random random(seed);
  Bytes bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

Result<void> put(BlobStore& store, std::string_view name, BytesView bytes, size_t step = 1'000'003) {
  ASSIGN_OR_RETURN(const auto writer, store.create(name));
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    RETURN_IF_ERROR(writer->write(bytes.substr(0, step)));
  }
  return writer->finish();
}

Result<Bytes> get(BlobStore& store, std::string_view name) {
  ASSIGN_OR_RETURN(const auto reader, store.open(name));
  Bytes all;
  std::array<char, 70'000> buffer;
  for (;;) {
    ASSIGN_OR_RETURN(const size_t count, reader->read(buffer));
    if (count == 0) return all;
    all.append(buffer.data(), count);
  }
}

std::vector<std::string> names(const BlobPage& page) {
  std::vector<std::string> names;
  for (const BlobInfo& blob : page.blobs) names.push_back(fmt::format("{}:{}", blob.name, blob.size));
  return names;
}

TEST(S3Store, BlobsOfEverySizeComeBack) {
  const S3Server server;
  S3Store store = server.store();
  for (const size_t size : {size_t{0}, size_t{1}, piece_bytes - 1, piece_bytes, piece_bytes + 1, 3 * piece_bytes}) {
    const Bytes bytes = random_bytes(size, size);
    const Result<void> written = put(store, "a/blob", bytes);
    ASSERT_TRUE(written.ok()) << size << ": " << written.error().message();
    const Result<Bytes> read = get(store, "a/blob");
    ASSERT_TRUE(read.ok()) << size << ": " << read.error().message();
    EXPECT_TRUE(*read == bytes) << size;
  }
}

TEST(S3Store, WhatIsTriedAgainComesOut) {
  const S3Server server({"--fail-every", "3"});
  S3Store store = server.store();
  const Bytes bytes = random_bytes(2 * piece_bytes + 5, 1);
  ASSERT_TRUE(put(store, "blob", bytes).ok());
  EXPECT_TRUE(get(store, "blob").value() == bytes);
}

TEST(S3Store, ListsAreInOrderPageByPage) {
  const S3Server server;
  S3Store store = server.store();
  for (const char* name : {"b", "a/2", "a/1", "a-b", "c/d"}) ASSERT_TRUE(put(store, name, name).ok());
  EXPECT_EQ(names(store.list("", "", 3).value()), (std::vector<std::string>{"a-b:3", "a/1:3", "a/2:3"}));
  EXPECT_TRUE(store.list("", "", 3).value().more);
  EXPECT_EQ(names(store.list("", "a/2", 3).value()), (std::vector<std::string>{"b:1", "c/d:3"}));
  EXPECT_FALSE(store.list("", "a/2", 3).value().more);
  EXPECT_EQ(names(store.list("a/", "", 9).value()), (std::vector<std::string>{"a/1:3", "a/2:3"}));
  ASSERT_TRUE(store.remove("a/1").ok());
  ASSERT_TRUE(store.remove("a/1").ok());
  EXPECT_EQ(names(store.list("a/", "", 9).value()), (std::vector<std::string>{"a/2:3"}));
}

TEST(S3Store, WhatIsNotThereIsNotFound) {
  const S3Server server;
  S3Store store = server.store();
  EXPECT_EQ(store.open("nothing").error().code(), ErrorCode::not_found);
  S3Store elsewhere(server.options(), "no-such-bucket", "");
  const Result<void> written = put(elsewhere, "blob", "1");
  EXPECT_EQ(written.error().code(), ErrorCode::not_found);
  EXPECT_NE(written.error().message().find("NoSuchBucket"), std::string_view::npos) << written.error().message();
}

TEST(S3Store, AWrongSecretIsRefused) {
  const S3Server server;
  S3Options wrong = server.options();
  wrong.secret_access_key = "another";
  S3Store store(wrong, "backups", "");
  const Result<void> written = put(store, "blob", "1");
  EXPECT_EQ(written.error().code(), ErrorCode::permission_denied);
  EXPECT_NE(written.error().message().find("SignatureDoesNotMatch"), std::string_view::npos);
  EXPECT_EQ(store.open("blob").error().code(), ErrorCode::permission_denied);
}

TEST(S3Store, TemporaryCredentialsCarryTheirToken) {
  const S3Server server({"--token", "the+token/="});
  S3Store without = server.store();
  EXPECT_EQ(put(without, "blob", "1").error().code(), ErrorCode::permission_denied);
  S3Options options = server.options();
  options.session_token = "the+token/=";
  S3Store with(options, "backups", "");
  EXPECT_TRUE(put(with, "blob", "1").ok());
}

TEST(S3Store, ABlobThatIsReplacedIsNoMixture) {
  const S3Server server;
  S3Store store = server.store();
  ASSERT_TRUE(put(store, "blob", random_bytes(2 * piece_bytes, 1)).ok());
  const auto reader = store.open("blob").value();
  ASSERT_TRUE(put(store, "blob", random_bytes(2 * piece_bytes, 2)).ok());
  Bytes piece(piece_bytes, '\0');
  ASSERT_EQ(reader->read(piece).value(), piece_bytes);
  EXPECT_EQ(reader->read(piece).error().code(), ErrorCode::conflict);
}

TEST(S3Store, AnUnfinishedWriterLeavesNothing) {
  const S3Server server;
  S3Store store = server.store();
  {
    const auto writer = store.create("blob").value();
    ASSERT_TRUE(writer->write(random_bytes(2 * piece_bytes, 1)).ok());
  }
  EXPECT_EQ(store.open("blob").error().code(), ErrorCode::not_found);
  S3Client client(server.options());
  const Result<S3Answer> uploads =
      client.send({.bucket = "_uploads", .key = {}, .query = {}, .headers = {}, .body = {}});
  EXPECT_EQ(uploads.value().body, "0");
}

TEST(S3Store, ACancelledTransferEnds) {
  const S3Server server;
  bool cancelled = false;
  S3Store store = server.store([&] { return cancelled; });
  const auto writer = store.create("blob").value();
  ASSERT_TRUE(writer->write(random_bytes(piece_bytes, 1)).ok());
  cancelled = true;
  EXPECT_EQ(writer->write(random_bytes(piece_bytes, 1)).error().code(), ErrorCode::operation_cancelled);
}

TEST(S3Store, AServiceThatIsGoneIsUnavailable) {
  S3Server server;
  S3Store store = server.store();
  server.kill();
  const Result<void> written = put(store, "blob", "1");
  EXPECT_EQ(written.error().code(), ErrorCode::unavailable);
  EXPECT_NE(written.error().message().find("cannot be reached"), std::string_view::npos) << written.error().message();
}

TEST(BlobNames, AreChecked) {
  for (const char* name : {"a", "a/b.c", "A-1_2/..a", "..."}) EXPECT_TRUE(validate_blob_name(name).ok()) << name;
  for (const char* name : {"", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a b", "a\\b", "\xC3\xA4", "a?b"}) {
    EXPECT_FALSE(validate_blob_name(name).ok()) << name;
  }
  EXPECT_FALSE(validate_blob_name(std::string(1'025, 'a')).ok());
  for (const char* bucket : {"abc", "a.b-c", "0ab"}) EXPECT_TRUE(validate_bucket_name(bucket).ok()) << bucket;
  for (const char* bucket : {"", "ab", "Abc", "a..b", "-ab", "ab-", "a/b", "a_b"}) {
    EXPECT_FALSE(validate_bucket_name(bucket).ok()) << bucket;
  }
}

TEST(S3Options, ComeFromTheEnvironment) {
  EXPECT_EQ(s3_options_of_environment([](const char*) -> const char* { return nullptr; }).error().code(),
            ErrorCode::permission_denied);
  const Result<S3Options> options = s3_options_of_environment([](const char* name) -> const char* {
    const std::string_view text = name;
    if (text == "AWS_ACCESS_KEY_ID") return "id";
    if (text == "AWS_SECRET_ACCESS_KEY") return "secret";
    if (text == "AWS_DEFAULT_REGION") return "eu-west-1";
    if (text == "AWS_REGION") return "";
    if (text == "AWS_ENDPOINT_URL") return "http://localhost:1";
    return nullptr;
  });
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->region, "eu-west-1");
  EXPECT_EQ(options->endpoint, "http://localhost:1");
  EXPECT_EQ(options->secret_access_key, "secret");
}

}  // namespace
}  // namespace strata::blobs
