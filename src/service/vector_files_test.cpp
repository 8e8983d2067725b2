#include "service/vector_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace strata::service {
namespace {

using Type = NumberFile::Type;

Bytes npy(std::string_view dictionary, char major = 1) {
  Bytes bytes("\x93NUMPY", 6);
  bytes.push_back(major);
  bytes.push_back('\0');
  const auto length = static_cast<uint32_t>(dictionary.size());
  for (int at = 0; at < (major == 1 ? 2 : 4); ++at) bytes.push_back(static_cast<char>(length >> (8 * at)));
  return bytes.append(dictionary);
}

class VectorFilesTest : public testing::Test {
 protected:
  VectorFilesTest() {
    std::string name = testing::TempDir() + "strata_files_XXXXXX";
    directory_ = mkdtemp(name.data());
    std::filesystem::create_directories(root() + "/below");
    std::filesystem::create_directories(directory_ + "/root-not");
  }
  ~VectorFilesTest() override { std::filesystem::remove_all(directory_); }

  std::string root() const { return directory_ + "/root"; }
  std::string write(const std::string& name, BytesView bytes) {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  Result<NumberFile> open(std::string_view path, Type type = Type::float32, uint64_t expected = 0) {
    const std::vector<std::string> roots = {root()};
    return NumberFile::open(roots, path, type, 2, expected);
  }

  std::string directory_;
};

TEST_F(VectorFilesTest, RowsOfBothFormats) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const BytesView numbers(reinterpret_cast<const char*>(values.data()), values.size() * 4);
  const Bytes header = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }   \n");
  for (const std::string& path :
       {write("root/a.f32", numbers), write("root/below/a.npy", header + Bytes(numbers)),
        write("root/b.npy", npy("{\"shape\":(3,2),'fortran_order':False,'descr':'<f4'}", 2) + Bytes(numbers))}) {
    const auto file = open(path, Type::float32, 3);
    ASSERT_TRUE(file.ok()) << path << file.error().message();
    EXPECT_EQ(file->rows(), 3);
    std::vector<float> read(4);
    ASSERT_TRUE(file->read(1, {reinterpret_cast<char*>(read.data()), 16}).ok());
    EXPECT_EQ(read, (std::vector<float>{3, 4, 5, 6}));
    EXPECT_EQ(open(path, Type::float32, 4).error().code(), ErrorCode::invalid_argument);
  }
  const auto ids =
      open(write("root/ids.npy", npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }") + Bytes(8, '\1')),
           Type::int64);
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(ids->rows(), 1);
}

TEST_F(VectorFilesTest, NothingOutsideOfTheRootsIsOpened) {
  const std::string outside = write("secret.f32", "12345678");
  write("root-not/a.f32", "12345678");
  ASSERT_EQ(symlink(outside.c_str(), (root() + "/link").c_str()), 0);
  ASSERT_EQ(symlink("..", (root() + "/up").c_str()), 0);
  for (const std::string& path : {outside, root() + "/../secret.f32", root() + "/link", root() + "/up/secret.f32",
                                  directory_ + "/root-not/a.f32", root(), std::string("/etc/passwd")}) {
    const auto file = open(path);
    ASSERT_FALSE(file.ok()) << path;
    EXPECT_EQ(file.error().code(), ErrorCode::permission_denied) << path;
  }
  write("root/a.f32", "12345678");
  ASSERT_EQ(symlink("a.f32", (root() + "/inside").c_str()), 0);
  EXPECT_TRUE(open(root() + "/inside").ok());
  EXPECT_EQ(open(root() + "/none").error().code(), ErrorCode::not_found);
  EXPECT_EQ(open("a.f32").error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(open(root() + "/below").error().code(), ErrorCode::invalid_argument);
  ASSERT_EQ(mkfifo((root() + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(open(root() + "/pipe").error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(NumberFile::open({}, root() + "/a.f32", Type::float32, 2, 0).error().code(), ErrorCode::permission_denied);
}

TEST_F(VectorFilesTest, HeadersThatLieAreFoundOut) {
  const std::string_view dictionaries[] = {
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775809, 2), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616, 2), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }",
      "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }",
      "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }",
      "{'descr': '>f4', 'fortran_order': False, 'shape': (3, 2), }",
      "{'descr': '<f4', 'shape': (3, 2), }",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3, -2), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), 'more': 1}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), } more",
      "{'descr: '<f4', 'fortran_order': False",
      "",
  };
  for (const std::string_view dictionary : dictionaries) {
    const auto file = open(write("root/lie.npy", npy(dictionary) + Bytes(24, '\0')));
    ASSERT_FALSE(file.ok()) << dictionary;
    EXPECT_EQ(file.error().code(), ErrorCode::invalid_argument) << dictionary;
  }
  const Bytes whole = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }");
  EXPECT_TRUE(open(write("root/empty.npy", whole)).ok());
  for (size_t size = 6; size < whole.size(); ++size) {
    EXPECT_FALSE(open(write("root/cut.npy", whole.substr(0, size))).ok()) << size;
  }
  EXPECT_FALSE(open(write("root/long.npy", Bytes("\x93NUMPY\2\0\xFF\xFF\xFF\xFF{}", 14))).ok());
  EXPECT_FALSE(open(write("root/part.f32", "1234567")).ok());
}

}  // namespace
}  // namespace strata::service
