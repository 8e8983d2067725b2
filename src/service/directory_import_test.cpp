#include "service/directory_import.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "service/files_fixture_test.h"

namespace strata::service {
namespace {

class DirectoryImportTest : public FileServicesTest {
 protected:
  DirectoryImportTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "strata-import-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~DirectoryImportTest() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, BytesView bytes) {
    std::filesystem::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
  }
  DirectoryImportReport import(const std::string& path = "/") {
    DirectoryImport run(system_, {.directory = directory_, .path = path, .threads = 2, .settled_ms = 0});
    return taken(run.run({}));
  }

  std::filesystem::path directory_;
};

TEST_F(DirectoryImportTest, EveryFileIsThereAsItIs) {
  Random random(3);
  std::map<std::string, Bytes> contents{{"empty", ""}, {"a/b/c/deep.txt", "deep"}, {"a/page.html", "<p>"}};
  for (int i = 0; i < 700; ++i) contents.emplace(fmt::format("many/file-{}", i), fmt::format("content {}", i % 50));
  for (const size_t size : {262'143u, 262'144u, 262'145u, 1'000'000u}) {
    Bytes noise(size, '\0');
    for (char& byte : noise) byte = static_cast<char>(random.next());
    contents.emplace(fmt::format("large/{}", size), noise);
  }
  uint64_t bytes = 0;
  for (const auto& [name, content] : contents) {
    write(name, content);
    bytes += content.size();
  }
  std::filesystem::create_symlink("../a/page.html", directory_ / "many" / "link");
  const DirectoryImportReport report = import("/target");
  EXPECT_EQ(report.files, contents.size());
  EXPECT_EQ(report.bytes, bytes);
  EXPECT_EQ(report.symlinks, 1u);
  EXPECT_EQ(report.failed, 0u);
  for (const auto& [name, content] : contents) EXPECT_TRUE(taken(get("/target/" + name)) == content) << name;
  EXPECT_EQ(taken(get("/target/many/link")), "<p>");
  EXPECT_EQ(taken(files_.stat({}, {.path = "/target/a/page.html"})).content_type, "text/html");
  // Without an ending that says it: text or not, also where the part that is looked at ends within a character.
  Bytes long_text;
  while (long_text.size() < 10'000) long_text += "xä";
  write("README", long_text);
  write("tool", BytesView("\x7f"
                          "ELF\0",
                          5));
  import();
  EXPECT_EQ(taken(files_.stat({}, {.path = "/README"})).content_type, "text/plain");
  EXPECT_EQ(taken(files_.stat({}, {.path = "/tool"})).content_type, "application/octet-stream");
}

TEST_F(DirectoryImportTest, WhatHasNotChangedIsNotReadAgain) {
  // More in a directory than are compared at once.
  for (int i = 0; i < 300; ++i) write(fmt::format("d{}/f{}", i == 1 ? 1 : 0, i), "same");
  std::filesystem::create_symlink("x", directory_ / "link");
  EXPECT_EQ(import().files, 300u);
  const auto head = taken(versions_.resolve({}, {})).root;
  DirectoryImportReport again = import();
  EXPECT_EQ(again.files, 0u);
  EXPECT_EQ(again.unchanged, 301u);
  EXPECT_EQ(taken(versions_.resolve({}, {})).root, head);
  // The same size, another content, as soon as the clock of the file system shows another time; a new one; one less.
  const auto changed_ns = [&] {
    struct stat stat{};
    ::stat((directory_ / "d0/f0").c_str(), &stat);
    return stat.st_ctim.tv_nsec;
  };
  for (const auto before = changed_ns(); changed_ns() == before;) write("d0/f0", "SAME");
  write("d0/new", "new");
  std::filesystem::remove(directory_ / "d1/f1");
  again = import();
  EXPECT_EQ(again.files, 2u);
  EXPECT_EQ(again.unchanged, 299u);
  EXPECT_EQ(taken(get("/d0/f0")), "SAME");
  EXPECT_EQ(taken(get("/d1/f1")), "same");
}

// Written twice within a tick of the file system's clock a file looks the same.
TEST_F(DirectoryImportTest, WhatWasJustWrittenIsReadAgain) {
  write("f", "one");
  for (int i = 0; i < 2; ++i) {
    DirectoryImport run(system_, {.directory = directory_, .settled_ms = 1'000'000});
    EXPECT_EQ(taken(run.run({})).files, 1u);
  }
}

TEST_F(DirectoryImportTest, WhatCannotBeStoredIsToldAndTheRestComes) {
  write("good/a", "a");
  write("taken/inside", "b");
  write("bad\xff", "c");
  write("as-directory", "d");
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink(std::string(2'000, 'n'), directory_ / "long-link");
  ASSERT_TRUE(put("/taken", "a file").ok());
  ASSERT_TRUE(put("/as-directory/x", "y").ok());
  const DirectoryImportReport report = import();
  EXPECT_EQ(report.skipped, 1u);
  EXPECT_EQ(report.failed, 4u);
  EXPECT_EQ(report.failures.size(), 4u);
  EXPECT_EQ(taken(get("/good/a")), "a");
  EXPECT_EQ(taken(get("/taken")), "a file");
  EXPECT_EQ(taken(get("/as-directory/x")), "y");
}

TEST_F(DirectoryImportTest, NoDirectoryAndNoPathAreRefused) {
  DirectoryImport nowhere(system_, {.directory = (directory_ / "nowhere").string()});
  EXPECT_EQ(code_of(nowhere.run({})), ErrorCode::invalid_argument);
  DirectoryImport above(system_, {.directory = directory_, .path = "/a/../b"});
  EXPECT_EQ(code_of(above.run({})), ErrorCode::invalid_argument);
}

TEST_F(DirectoryImportTest, NothingComesWhereHashesAreRead) {
  write("a", "a");
  write("_hash/b", "b");
  write("d/_hash/c", "c");
  for (const std::string path : {"/_hash", "_hash/x/"}) {
    DirectoryImport run(system_, {.directory = directory_, .path = path});
    EXPECT_EQ(code_of(run.run({})), ErrorCode::invalid_argument) << path;
  }
  const DirectoryImportReport report = import();
  EXPECT_EQ(report.failed, 1u);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_NE(report.failures.front().find("/_hash is where"), std::string::npos) << report.failures.front();
  EXPECT_EQ(paths("/", {.depth = -1}), "/a /d/_hash/c ");
  // Elsewhere it is a name like others.
  EXPECT_EQ(import("/below").failed, 0u);
  EXPECT_EQ(taken(get("/below/_hash/b")), "b");
}

TEST_F(DirectoryImportTest, AFailureOfTheStoreEndsTheRun) {
  for (int i = 0; i < 2'000; ++i) write(fmt::format("f{}", i), "x");
  engine_->intercept(
      [](kv::Engine&, const kv::CommitRequest&) -> Result<kv::Committed> { return ErrorCode::disk_full; });
  DirectoryImport run(system_, {.directory = directory_, .threads = 1});
  EXPECT_EQ(code_of(run.run({})), ErrorCode::disk_full);
}

}  // namespace
}  // namespace strata::service
