#include "service/chunk_packer.h"

#include <algorithm>
#include <array>

namespace strata::service {
namespace {

// Below it the index row and the frame of zstd eat what is won.
constexpr size_t least_bytes = 500;
// 500 MB/s; what higher levels win on top is not worth a third of the speed and less.
constexpr int level = 1;
constexpr int most_failures = 3;

// Packed already, by their very formats.
constexpr auto packed_types = std::to_array<std::string_view>({
    "application/gzip",
    "application/java-archive",
    "application/pdf",
    "application/vnd.android.package-archive",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/x-bzip2",
    "application/x-gzip",
    "application/x-lz4",
    "application/x-rar-compressed",
    "application/x-xz",
    "application/x-zip-compressed",
    "application/zip",
    "application/zstd",
    "font/woff",
    "font/woff2",
});
constexpr auto plain_images = std::to_array<std::string_view>({
    "image/bmp",
    "image/svg+xml",
    "image/tiff",
    "image/vnd.adobe.photoshop",
    "image/x-ms-bmp",
});

bool is_packed(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  if (type.starts_with("image/")) return std::ranges::find(plain_images, type) == plain_images.end();
  return type.starts_with("video/") || (type.starts_with("audio/") && type != "audio/x-wav") ||
         type.starts_with("application/vnd.openxmlformats-") ||
         std::ranges::find(packed_types, type) != packed_types.end();
}

}  // namespace

ChunkPacker::ChunkPacker(std::string_view content_type) : failures_left_(is_packed(content_type) ? 0 : most_failures) {}

std::optional<Bytes> ChunkPacker::pack(BytesView raw) {
  if (raw.size() < least_bytes || failures_left_ == 0) return std::nullopt;
  std::optional<Bytes> packed = files::pack_zstd(raw, level);
  if (packed && packed->size() <= raw.size() - raw.size() / 10) {
    failures_left_ = most_failures;
    return packed;
  }
  --failures_left_;
  return std::nullopt;
}

PackedChunk ChunkPacker::make(Bytes raw) {
  PackedChunk chunk{.hash = name(raw), .raw_size = static_cast<uint32_t>(raw.size()), .stored = {}};
  if (auto packed = pack(raw)) {
    chunk.compression = files::Compression::zstd;
    chunk.stored = *std::move(packed);
  } else {
    chunk.stored = std::move(raw);
  }
  return chunk;
}

void ChunkPacker::put(files::EntryWriter& entries, const Hash& name, BytesView raw) {
  const std::optional<Bytes> packed = pack(raw);
  entries.put_chunk(name, packed ? BytesView(*packed) : raw,
                    packed ? files::Compression::zstd : files::Compression::none, static_cast<uint32_t>(raw.size()));
}

}  // namespace strata::service
