#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "hnsw/image_format.h"
#include "hnsw/state.h"

namespace strata::hnsw {

namespace {

constexpr size_t buffer_bytes = 1u << 20;

// A file that is written from front to back, section by section.
class ImageFile {
 public:
  explicit ImageFile(const std::atomic<bool>* cancelled) : cancelled_(cancelled) {}
  ~ImageFile() {
    if (file_ >= 0) close(file_);
    XXH3_freeState(hash_);
  }
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;

  Result<void> create(const std::string& path) {
    file_ = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    return file_ >= 0 ? Result<void>() : failed("cannot be created");
  }
  void begin_section(uint64_t alignment) {
    STRATA_ASSERT(buffer_.empty());
    offset_ = (offset_ + alignment - 1) / alignment * alignment;
    section_ = {offset_, 0, 0};
    XXH3_64bits_reset(hash_);
  }
  Result<void> append(const void* bytes, size_t count) {
    if (count == 0) return {};
    XXH3_64bits_update(hash_, bytes, count);
    section_.bytes += count;
    buffer_.append(static_cast<const char*>(bytes), count);
    return buffer_.size() >= buffer_bytes ? flush() : Result<void>();
  }
  Result<SectionPlace> end_section() {
    RETURN_IF_ERROR(flush());
    section_.hash = XXH3_64bits_digest(hash_);
    return section_;
  }
  // Not a part of any section.
  Result<void> write_at(uint64_t offset, BytesView bytes) {
    while (!bytes.empty()) {
      const ssize_t written = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return failed("cannot be written");
      offset += static_cast<uint64_t>(written);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return {};
  }
  Result<void> finish(uint64_t size) {
    if (ftruncate(file_, static_cast<off_t>(size)) != 0 || fsync(file_) != 0) return failed("cannot be synced");
    return {};
  }
  void skip(uint64_t bytes) { offset_ += bytes; }
  uint64_t offset() const { return offset_; }

 private:
  Result<void> flush() {
    if (cancelled_ != nullptr && cancelled_->load(std::memory_order_relaxed)) {
      return Error(ErrorCode::operation_cancelled);
    }
    RETURN_IF_ERROR(write_at(offset_, buffer_));
    offset_ += buffer_.size();
    buffer_.clear();
    return {};
  }
  static Result<void> failed(const char* what) {
    const int number = errno;
    return Error(number == ENOSPC || number == EDQUOT ? ErrorCode::disk_full : ErrorCode::io_error,
                 std::string("vector image ") + what + ": " + std::strerror(number));
  }

  const std::atomic<bool>* const cancelled_;
  int file_ = -1;
  uint64_t offset_ = image_header_bytes;
  Bytes buffer_;
  SectionPlace section_;
  XXH3_state_t* const hash_ = XXH3_createState();
};

}  // namespace

struct Image::State {
  explicit State(Index::State& of) : index(of) {}

  Index::State& index;
  std::vector<uint64_t> labels;
  std::vector<uint8_t> levels;  // absent_level: no vector
  size_t vectors = 0;

  uint32_t slots() const { return static_cast<uint32_t>(levels.size()); }
  bool present(uint32_t slot) const { return slot < slots() && levels[slot] != absent_level; }
  Result<void> write_list(ImageFile& file, uint32_t slot, uint32_t level) const;
  Result<void> write_links(ImageFile& file, ImageHeader& header) const;
  Result<void> write_vectors(ImageFile& file, ImageHeader& header) const;
};

Result<std::unique_ptr<Image>> Index::begin_image() const {
  auto image = std::make_unique<Image::State>(*state_);
  state_->gate.close();
  const uint64_t end = state_->slot_end.load(std::memory_order_acquire);
  image->labels.resize(end);
  image->levels.resize(end, absent_level);
  for (uint32_t slot = 0; slot < end; ++slot) {
    if (!state_->nodes().live(slot)) continue;
    image->labels[slot] = state_->nodes().label(slot);
    image->levels[slot] = static_cast<uint8_t>(state_->nodes().level(slot));
    ++image->vectors;
  }
  state_->images.fetch_add(1);
  state_->gate.open();
  return std::unique_ptr<Image>(new Image(std::move(image)));
}

Image::Image(std::unique_ptr<State> state) : state_(std::move(state)) {}

Image::~Image() { state_->index.images.fetch_sub(1); }

size_t Image::size() const { return state_->vectors; }

// Links to what came later are left out: an image stands for itself.
Result<void> Image::State::write_list(ImageFile& file, uint32_t slot, uint32_t level) const {
  const uint32_t width = index.graph.width(level);
  std::vector<uint32_t> links(index.graph.lowest_width());
  uint32_t kept = 0;
  if (present(slot)) {
    const uint32_t count = index.graph.links(slot, level, links.data());
    for (uint32_t i = 0; i < count; ++i) {
      if (present(links[i]) && levels[links[i]] >= level) links[kept++] = links[i] + 1;
    }
  }
  std::fill(links.begin() + kept, links.end(), 0);
  return file.append(links.data(), width * sizeof(uint32_t));
}

Result<void> Image::State::write_links(ImageFile& file, ImageHeader& header) const {
  file.begin_section(8);
  RETURN_IF_ERROR(file.append(labels.data(), labels.size() * sizeof(uint64_t)));
  ASSIGN_OR_RETURN(header.sections[section_labels], file.end_section());
  file.begin_section(8);
  RETURN_IF_ERROR(file.append(levels.data(), levels.size()));
  ASSIGN_OR_RETURN(header.sections[section_levels], file.end_section());
  file.begin_section(8);
  for (uint32_t slot = 0; slot < slots(); ++slot) RETURN_IF_ERROR(write_list(file, slot, 0));
  ASSIGN_OR_RETURN(header.sections[section_lowest], file.end_section());
  file.begin_section(8);
  header.entry = no_slot;
  for (uint32_t slot = 0; slot < slots(); ++slot) {
    if (!present(slot)) continue;
    if (header.entry == no_slot || levels[slot] > header.entry_level) {
      header.entry = slot;
      header.entry_level = levels[slot];
    }
    header.upper_lists += levels[slot];
    for (uint32_t level = 1; level <= levels[slot]; ++level) RETURN_IF_ERROR(write_list(file, slot, level));
  }
  ASSIGN_OR_RETURN(header.sections[section_upper], file.end_section());
  return {};
}

Result<void> Image::State::write_vectors(ImageFile& file, ImageHeader& header) const {
  const Store& store = index.store;
  const Bytes nothing(store.row_bytes(), '\0');
  file.begin_section(image_page_bytes);
  const uint64_t padding = store.row_block_bytes() - store.rows_per_block() * store.row_bytes();
  const Bytes zeros(padding, '\0');
  for (uint32_t slot = 0; slot < slots(); ++slot) {
    const void* row = present(slot) ? static_cast<const void*>(store.row(slot)) : nothing.data();
    RETURN_IF_ERROR(file.append(row, store.row_bytes()));
    if ((slot + 1) % store.rows_per_block() == 0) RETURN_IF_ERROR(file.append(zeros.data(), zeros.size()));
  }
  ASSIGN_OR_RETURN(header.sections[section_rows], file.end_section());
  return {};
}

Result<ImageReport> Image::write(const std::string& path, const std::atomic<bool>* cancelled) {
  ImageFile file(cancelled);
  RETURN_IF_ERROR(file.create(path));
  ImageHeader header;
  header.options = state_->index.options;
  header.slots = state_->slots();
  header.vectors = state_->vectors;
  RETURN_IF_ERROR(state_->write_links(file, header));
  RETURN_IF_ERROR(state_->write_vectors(file, header));
  // The last block of rows is whole, so that it can be mapped; what is not written takes no room.
  const Store& store = state_->index.store;
  const uint64_t blocks = (header.slots + store.rows_per_block() - 1) / store.rows_per_block();
  const uint64_t size = header.sections[section_rows].offset + blocks * store.row_block_bytes();
  RETURN_IF_ERROR(file.write_at(0, encode_header(header)));
  RETURN_IF_ERROR(file.finish(size));
  return ImageReport{header.vectors, size};
}

}  // namespace strata::hnsw
