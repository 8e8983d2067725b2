#include "engine/rocksdb/hardware_crc32c.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/random.h"
#include "engine/rocksdb/engine_fixture.h"

namespace strata::kv {
namespace {

// The definition, a bit at a time.
uint32_t slow(uint32_t crc, BytesView bytes) {
  crc = ~crc;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

using Extend = uint32_t (*)(uint32_t, const char*, size_t);

// The library's own, whoever else has the name.
Extend of_library() {
  void* const library = dlopen("librocksdb.so", RTLD_NOW | RTLD_NOLOAD);
  void* const handle = library ? library : dlopen("librocksdb.so", RTLD_NOW);
  return handle ? reinterpret_cast<Extend>(dlsym(handle, "_ZN7rocksdb6crc32c6ExtendEjPKcm")) : nullptr;
}

TEST(HardwareCrc32c, KnownValues) {
  EXPECT_EQ(extend_crc32c(0, "", 0), 0u);
  EXPECT_EQ(extend_crc32c(0, "123456789", 9), 0xE3069283u);
  const Bytes zeros(32, '\0');
  EXPECT_EQ(extend_crc32c(0, zeros.data(), zeros.size()), 0x8A9136AAu);
}

TEST(HardwareCrc32c, EverySizeAndAlignmentIsTheDefinitionAndTheLibrarysOwn) {
  const Extend library = of_library();
  Random random(5);
  Bytes bytes(1'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  for (size_t size = 0; size < 600; ++size) {
    const BytesView part = BytesView(bytes).substr(size % 64, size);
    const auto begin = static_cast<uint32_t>(random.next());
    EXPECT_EQ(extend_crc32c(begin, part.data(), part.size()), slow(begin, part)) << size;
    if (library) EXPECT_EQ(library(begin, part.data(), part.size()), slow(begin, part)) << size;
  }
}

class HardwareCrc32cStore : public RocksdbTest {};

// Ours is called by the packaged library, for its log among others, and what it wrote so is what it reads so.
TEST_F(HardwareCrc32cStore, TheLibraryCallsIt) {
  open();
  const Bytes large(90'000, 'v');
  ASSERT_TRUE(put("k", large).ok());
  engine.reset();
  open();
  EXPECT_EQ(get("k"), large);
#if defined(__x86_64__)
  std::ifstream release("/etc/os-release");
  const std::string system(std::istreambuf_iterator<char>(release), {});
  if (system.find("ID=debian") == std::string::npos) GTEST_SKIP() << "only Debian's library is known to let us";
  EXPECT_TRUE(library_uses_hardware_crc32c());
#endif
}

}  // namespace
}  // namespace strata::kv
