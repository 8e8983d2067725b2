#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "hnsw/image_format.h"
#include "hnsw/state.h"

namespace strata::hnsw {

namespace {

Error damaged(const char* why) { return Error(ErrorCode::corruption, std::string("vector image: ") + why); }

Error failed(const char* what) {
  return Error(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
               std::string("vector image ") + what + ": " + std::strerror(errno));
}

// The whole file, for reading; rows are mapped once more by the store.
class MappedFile {
 public:
  ~MappedFile() {
    if (at_ != nullptr) munmap(at_, size_);
    if (file_ >= 0) close(file_);
  }
  Result<void> open_for_reading(const std::string& path) {
    file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file_ < 0) return failed("cannot be opened");
    struct stat status{};
    if (fstat(file_, &status) != 0) return failed("has no status");
    size_ = static_cast<size_t>(status.st_size);
    if (size_ < image_header_bytes) return damaged("too short");
    void* at = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_, 0);
    if (at == MAP_FAILED) return failed("cannot be mapped");
    at_ = at;
    madvise(at_, size_, MADV_SEQUENTIAL);
    return {};
  }
  BytesView bytes() const { return {static_cast<const char*>(at_), size_}; }
  int file() const { return file_; }

 private:
  void* at_ = nullptr;
  size_t size_ = 0;
  int file_ = -1;
};

uint32_t link_at(BytesView section, uint64_t place) { return read_le32(section.substr(place * 4, 4)); }

}  // namespace

// Fills the state of a new index from an image, and believes nothing in it.
class ImageReader {
 public:
  ImageReader(Index::State& index, const ImageHeader& header, BytesView file)
      : index_(index), header_(header), file_(file) {}

  Result<void> read(int file) {
    RETURN_IF_ERROR(check_sections());
    RETURN_IF_ERROR(index_.graph.grow(slots()));
    RETURN_IF_ERROR(index_.store.adopt_rows(file, place(section_rows).offset, slots()));
    RETURN_IF_ERROR(read_nodes());
    RETURN_IF_ERROR(read_links());
    RETURN_IF_ERROR(read_vectors());
    return finish();
  }

 private:
  uint64_t slots() const { return header_.slots; }
  const SectionPlace& place(Section section) const { return header_.sections[section]; }
  BytesView section(Section which) const { return file_.substr(place(which).offset, place(which).bytes); }
  uint8_t level(uint64_t slot) const { return static_cast<uint8_t>(section(section_levels)[slot]); }
  bool present(uint64_t slot) const { return level(slot) != absent_level; }

  Result<void> check_sections() const {
    const Store& store = index_.store;
    const uint64_t m = index_.graph.m();
    if (slots() >= Index::State::max_slots) return damaged("too many slots");
    if (header_.vectors > slots() || header_.upper_lists > slots() * max_level) return damaged("impossible counts");
    const uint64_t whole_blocks = slots() / store.rows_per_block();
    const uint64_t blocks = (slots() + store.rows_per_block() - 1) / store.rows_per_block();
    const uint64_t rows = whole_blocks * store.row_block_bytes() + slots() % store.rows_per_block() * store.row_bytes();
    const std::array<uint64_t, section_count> sizes = {slots() * 8, slots(), slots() * m * 2 * 4,
                                                       header_.upper_lists * m * 4, rows};
    for (size_t i = 0; i < section_count; ++i) {
      const SectionPlace& at = header_.sections[i];
      if (at.bytes != sizes[i]) return damaged("a section has the wrong size");
      if (at.offset > file_.size() || at.bytes > file_.size() - at.offset) return damaged("a section is cut off");
      if (hash_of_section(file_.substr(at.offset, at.bytes)) != at.hash) return damaged("a section is damaged");
    }
    const SectionPlace& at = place(section_rows);
    if (at.offset % image_page_bytes != 0) return damaged("rows are not aligned");
    if (blocks * store.row_block_bytes() > file_.size() - at.offset) return damaged("rows are cut off");
    return {};
  }

  Result<void> read_nodes() {
    uint64_t lists = 0;
    for (uint64_t i = 0; i < slots(); ++i) {
      const auto slot = static_cast<uint32_t>(i);
      if (!present(i)) {
        index_.free_slots.push_back(slot);
        continue;
      }
      if (level(i) > max_level) return damaged("an impossible level");
      const uint64_t label = read_le64(section(section_labels).substr(i * 8, 8));
      RETURN_IF_ERROR(index_.graph.allocate(slot, label, level(i)));
      if (index_.labels.put(label, slot)) return damaged("a label comes twice");
      lists += level(i);
    }
    if (lists != header_.upper_lists || index_.labels.size() != header_.vectors) return damaged("counts disagree");
    return {};
  }

  Result<void> read_list(uint32_t slot, uint32_t layer, BytesView lists, uint64_t first) {
    const uint32_t width = index_.graph.width(layer);
    links_.clear();
    for (uint32_t i = 0; i < width; ++i) {
      const uint32_t link = link_at(lists, first + i);
      if (link == 0) break;
      const uint32_t to = link - 1;
      if (to >= slots() || !present(to) || level(to) < layer || to == slot) return damaged("an impossible link");
      links_.push_back(to);
    }
    index_.graph.set_links(slot, layer, links_);
    return {};
  }

  Result<void> read_links() {
    const uint64_t m = index_.graph.m();
    uint64_t list = 0;
    for (uint64_t i = 0; i < slots(); ++i) {
      if (!present(i)) continue;
      const auto slot = static_cast<uint32_t>(i);
      RETURN_IF_ERROR(read_list(slot, 0, section(section_lowest), i * m * 2));
      for (uint32_t layer = 1; layer <= level(i); ++layer, ++list) {
        RETURN_IF_ERROR(read_list(slot, layer, section(section_upper), list * m));
      }
    }
    return {};
  }

  Result<void> read_vectors() {
    Store& store = index_.store;
    for (uint64_t i = 0; i < slots(); ++i) {
      if (!present(i)) continue;
      const auto slot = static_cast<uint32_t>(i);
      const float* row = store.row(slot);
      if (!std::all_of(row, row + index_.options.dimension, [](float value) { return std::isfinite(value); })) {
        return damaged("a vector has NaN or infinity");
      }
      // Codes are not in the image: to make them is not dearer than to check them.
      if (store.coded()) store.write_code(slot);
    }
    return {};
  }

  Result<void> finish() {
    for (uint64_t i = 0; i < slots(); ++i) {
      if (present(i)) index_.nodes().set_state(static_cast<uint32_t>(i), NodeState::live);
    }
    index_.live.store(header_.vectors);
    index_.slot_end.store(slots());
    if (header_.vectors == 0) return {};
    if (header_.entry >= slots() || !present(header_.entry) || level(header_.entry) != header_.entry_level) {
      return damaged("an impossible entry");
    }
    index_.write_entry({header_.entry, header_.entry_level});
    return {};
  }

  Index::State& index_;
  const ImageHeader& header_;
  const BytesView file_;
  std::vector<uint32_t> links_;
};

Result<std::unique_ptr<Index>> Index::open(const std::string& path, const Options& expected) {
  MappedFile file;
  RETURN_IF_ERROR(file.open_for_reading(path));
  ASSIGN_OR_RETURN(const ImageHeader header, decode_header(file.bytes()));
  if (header.options.dimension != expected.dimension || header.options.metric != expected.metric ||
      header.options.quantization != expected.quantization || header.options.m != expected.m) {
    return damaged("of an index with other options");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Index> index, create(expected));
  RETURN_IF_ERROR(ImageReader(*index->state_, header, file.bytes()).read(file.file()));
  return index;
}

}  // namespace strata::hnsw
