// Images of a vector index: whatever is in one, it is refused or it is an index that works.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/assert.h"
#include "hnsw/image_format.h"
#include "hnsw/index.h"

namespace {

using namespace strata;
using namespace strata::hnsw;

// Checksums made right, else nothing behind them would ever be read.
std::string with_right_checksums(std::string bytes) {
  if (bytes.size() < image_header_bytes) return bytes;
  const auto seal = [&] {
    const uint64_t hash = hash_of_section(BytesView(bytes).substr(0, image_header_bytes - 8));
    Bytes end;
    append_le64(end, hash);
    bytes.replace(image_header_bytes - 8, 8, end);
  };
  seal();
  Result<ImageHeader> header = decode_header(bytes);
  if (!header.ok()) return bytes;
  for (SectionPlace& section : header->sections) {
    if (section.offset > bytes.size() || section.bytes > bytes.size() - section.offset) continue;
    section.hash = hash_of_section(BytesView(bytes).substr(section.offset, section.bytes));
  }
  bytes.replace(0, image_header_bytes, encode_header(*header));
  return bytes;
}

void use(Index& index, uint32_t dimension) {
  const std::vector<float> query(dimension, 0.5f);
  const auto near = index.search(query, 5, {.ef = 7, .plan = hnsw::Plan::gated});
  STRATA_ASSERT(near.ok() && near->size() == std::min<size_t>(5, index.size()));
  const auto exact = index.exact_search(query, 5);
  STRATA_ASSERT(exact.ok() && std::is_sorted(exact->begin(), exact->end()));
  for (const Match& match : *exact) STRATA_ASSERT(index.remove(match.label));
  for (uint64_t label = 0; label < 5; ++label) STRATA_ASSERT(index.insert(1000 + label, query).ok());
  index.repair();
  STRATA_ASSERT(index.search(query, 3, {})->size() == 3);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes = with_right_checksums({reinterpret_cast<const char*>(data), size});
  const int file = memfd_create("image", MFD_CLOEXEC);
  STRATA_ASSERT(file >= 0);
  STRATA_ASSERT(write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  // The last block of rows is a hole.
  STRATA_ASSERT(ftruncate(file, static_cast<off_t>(bytes.size() + (8u << 20))) == 0);
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  Options options{.dimension = 3, .metric = Metric::euclidean, .m = 2, .ef_construction = 10};
  if (const Result<ImageHeader> header = decode_header(bytes); header.ok()) {
    options.metric = header->options.metric;
    options.quantization = header->options.quantization;
  }
  Result<std::unique_ptr<Index>> index = Index::open(path, options);
  close(file);
  if (index.ok()) use(**index, options.dimension);
  return 0;
}
