#include "hnsw/image_format.h"

#include <xxhash.h>

namespace strata::hnsw {

namespace {

Error damaged(const char* why) { return Error(ErrorCode::corruption, std::string("vector image: ") + why); }

class Numbers {
 public:
  explicit Numbers(BytesView bytes) : rest_(bytes) {}
  uint32_t take32() {
    const uint32_t value = read_le32(rest_);
    rest_.remove_prefix(4);
    return value;
  }
  uint64_t take64() {
    const uint64_t value = read_le64(rest_);
    rest_.remove_prefix(8);
    return value;
  }

 private:
  BytesView rest_;
};

}  // namespace

uint64_t hash_of_section(BytesView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Bytes encode_header(const ImageHeader& header) {
  Bytes out(image_magic);
  append_le32(out, image_version);
  append_le32(out, header.options.dimension);
  append_le32(out, static_cast<uint32_t>(header.options.metric) | static_cast<uint32_t>(header.options.quantization)
                                                                      << 8);
  append_le32(out, header.options.m);
  append_le32(out, header.options.ef_construction);
  append_le64(out, header.options.seed);
  append_le64(out, header.slots);
  append_le64(out, header.vectors);
  append_le64(out, header.upper_lists);
  append_le32(out, header.entry);
  append_le32(out, header.entry_level);
  for (const SectionPlace& section : header.sections) {
    append_le64(out, section.offset);
    append_le64(out, section.bytes);
    append_le64(out, section.hash);
  }
  append_le64(out, hash_of_section(out));
  return out;
}

Result<ImageHeader> decode_header(BytesView bytes) {
  if (bytes.size() < image_header_bytes) return damaged("too short");
  bytes = bytes.substr(0, image_header_bytes);
  if (bytes.substr(0, image_magic.size()) != image_magic) return damaged("not an image");
  Numbers numbers(bytes.substr(image_magic.size()));
  if (numbers.take32() != image_version) return damaged("a version that this program does not know");
  const BytesView hashed = bytes.substr(0, image_header_bytes - 8);
  if (hash_of_section(hashed) != read_le64(bytes.substr(hashed.size()))) return damaged("the header is damaged");
  ImageHeader header;
  header.options.dimension = numbers.take32();
  const uint32_t kinds = numbers.take32();
  header.options.m = numbers.take32();
  header.options.ef_construction = numbers.take32();
  header.options.seed = numbers.take64();
  header.slots = numbers.take64();
  header.vectors = numbers.take64();
  header.upper_lists = numbers.take64();
  header.entry = numbers.take32();
  header.entry_level = numbers.take32();
  for (SectionPlace& section : header.sections) {
    section.offset = numbers.take64();
    section.bytes = numbers.take64();
    section.hash = numbers.take64();
  }
  if ((kinds & 0xFF) > static_cast<uint32_t>(Metric::manhattan)) return damaged("an unknown metric");
  if (kinds >> 8 > static_cast<uint32_t>(Quantization::int8)) return damaged("an unknown quantization");
  header.options.metric = static_cast<Metric>(kinds & 0xFF);
  header.options.quantization = static_cast<Quantization>(kinds >> 8);
  return header;
}

}  // namespace strata::hnsw
