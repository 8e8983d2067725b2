#include "service/vector_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "archive/fields.h"
#include "archive/frames.h"
#include "base/memory_stream.h"
#include "service/backup_files.h"

namespace strata::service {

namespace {

using archive::Fields;

constexpr archive::FileKind kind{.magic = "STRATAVV", .version = 1};
constexpr size_t piece_bytes = 128u << 10;

enum class Frame : uint8_t { header = 1, missing = 2, metadata = 3, end = 4 };

std::string index_name(uint64_t number) { return fmt::format("{}.index", number); }
std::string view_name(uint64_t number) { return fmt::format("{}.view", number); }

Result<void> write_view(ByteSink& sink, const vectors::Collection& collection, uint64_t number,
                        const ViewImage& image) {
  archive::FrameWriter frames(sink, kind);
  RETURN_IF_ERROR(frames.begin());
  RETURN_IF_ERROR(frames.prepare(static_cast<uint8_t>(Frame::header), 6 * 8));
  append_le64(frames.payload(), static_cast<uint64_t>(collection.number));
  append_le64(frames.payload(), collection.nonce);
  append_le64(frames.payload(), number);
  append_le64(frames.payload(), image.lsn);
  append_le64(frames.payload(), image.missing.size());
  append_le64(frames.payload(), image.metadata.size());
  for (const uint64_t id : image.missing) {
    RETURN_IF_ERROR(frames.prepare(static_cast<uint8_t>(Frame::missing), 8));
    append_le64(frames.payload(), id);
  }
  for (BytesView rest = image.metadata; !rest.empty();) {
    const BytesView piece = rest.substr(0, piece_bytes);
    RETURN_IF_ERROR(frames.prepare(static_cast<uint8_t>(Frame::metadata), piece.size()));
    frames.payload().append(piece);
    rest.remove_prefix(piece.size());
  }
  RETURN_IF_ERROR(frames.flush());
  const archive::Digest128 digest = frames.digest();
  RETURN_IF_ERROR(frames.prepare(static_cast<uint8_t>(Frame::end), 16));
  append_le64(frames.payload(), digest.low);
  append_le64(frames.payload(), digest.high);
  return frames.flush();
}

struct ViewFile {
  uint64_t lsn = 0;
  std::vector<uint64_t> missing;
  Bytes metadata;
};

Result<ViewFile> read_view(ByteSource& source, const vectors::Collection& collection, const vectors::ImageRow& row) {
  archive::FrameReader frames(source, kind, "image of a collection");
  RETURN_IF_ERROR(frames.begin());
  RETURN_IF_ERROR(frames.next());
  Fields header(frames.rest());
  const uint64_t number = header.take64();
  const uint64_t nonce = header.take64();
  const uint64_t image = header.take64();
  ViewFile file{.lsn = header.take64()};
  const uint64_t missing = header.take64();
  const uint64_t metadata_bytes = header.take64();
  if (static_cast<Frame>(frames.type()) != Frame::header || !header.all() ||
      number != static_cast<uint64_t>(collection.number) || nonce != collection.nonce || image != row.image ||
      file.lsn != row.lsn) {
    return frames.broken("it belongs elsewhere");
  }
  for (;;) {
    RETURN_IF_ERROR(frames.next());
    const archive::Digest128 before = frames.digest();
    const auto type = static_cast<Frame>(frames.type());
    Fields fields(frames.rest());
    if (type == Frame::missing && file.metadata.empty()) {
      while (!frames.rest().empty()) file.missing.push_back(fields.take64());
    } else if (type == Frame::metadata) {
      file.metadata.append(fields.take(frames.rest().size()));
    } else if (type == Frame::end) {
      const uint64_t low = fields.take64();
      const archive::Digest128 digest{.low = low, .high = fields.take64()};
      if (!fields.all() || digest != before || file.missing.size() != missing ||
          file.metadata.size() != metadata_bytes) {
        return frames.broken("the end does not fit what came before it");
      }
      RETURN_IF_ERROR(frames.expect_end());
      return file;
    } else {
      return frames.broken("a frame that does not belong here");
    }
    if (!fields.ok()) return frames.broken("a frame of the wrong shape");
  }
}

}  // namespace

Result<void> write_image(const std::string& directory, const vectors::Collection& collection, uint64_t number,
                         ViewImage image) {
  const BackupFiles files(directory);
  ASSIGN_OR_RETURN(const BackupPath path, BackupPath::of_file(view_name(number), "image"));
  ASSIGN_OR_RETURN(const auto file, files.create(path));
  ASSIGN_OR_RETURN(const auto report, image.index->write(directory + "/" + index_name(number)));
  static_cast<void>(report);
  RETURN_IF_ERROR(write_view(*file, collection, number, image));
  // Syncs the directory, and so the other file's name.
  return file->finish();
}

Result<OpenedView> open_image(const std::string& directory, const vectors::Collection& collection,
                              const vectors::ImageRow& row) {
  const BackupFiles files(directory);
  ASSIGN_OR_RETURN(const BackupPath path, BackupPath::of_file(view_name(row.image), "image"));
  ASSIGN_OR_RETURN(const auto source, files.open(path));
  if (source == nullptr) return Error(ErrorCode::not_found, "the image of a collection is gone");
  ASSIGN_OR_RETURN(ViewFile file, read_view(*source, collection, row));
  ASSIGN_OR_RETURN(auto index, hnsw::Index::open(directory + "/" + index_name(row.image),
                                                 view_index_options(collection, directory)));
  BytesSource bytes(file.metadata);
  ASSIGN_OR_RETURN(auto metadata, vectors::MetadataIndex::load(bytes, index->slot_end()));
  if (!bytes.empty() || metadata.size() != index->size()) {
    return Error(ErrorCode::corruption, "the image of a collection has other metadata than vectors");
  }
  return OpenedView{std::make_unique<VectorView>(collection, std::move(index), std::move(metadata), row.lsn),
                    std::move(file.missing)};
}

void remove_other_images(const std::string& directory, uint64_t number) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (number != 0 && (name == index_name(number) || name == view_name(number))) continue;
    std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace strata::service
