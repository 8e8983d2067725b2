#include "archive/frames.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "base/assert.h"

namespace strata::archive {
namespace {

// More than that is not read before the bytes so far have come.
constexpr size_t growth_bytes = 1u << 20;

class RunningDigest {
 public:
  RunningDigest() : state_(XXH3_createState()) {
    STRATA_ASSERT(state_ != nullptr);
    XXH3_128bits_reset(state_);
  }
  ~RunningDigest() { XXH3_freeState(state_); }
  RunningDigest(const RunningDigest&) = delete;
  RunningDigest& operator=(const RunningDigest&) = delete;

  void add(BytesView bytes) { XXH3_128bits_update(state_, bytes.data(), bytes.size()); }
  Digest128 value() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_);
    return {.low = hash.low64, .high = hash.high64};
  }

 private:
  XXH3_state_t* const state_;
};

// The frame's number is the seed: frames that are swapped, dropped or repeated do not fit.
uint64_t checksum_of(BytesView frame, uint64_t number) {
  return XXH3_64bits_withSeed(frame.data() + 8, frame.size() - 8, number);
}

void forget(Bytes& frame) {
  frame.clear();
  if (frame.capacity() > 4 * frame_target_bytes) frame.shrink_to_fit();
}

}  // namespace

struct FrameWriter::State {
  RunningDigest digest;
};
struct FrameReader::State {
  RunningDigest digest;
};

FrameWriter::FrameWriter(ByteSink& sink, const FileKind& kind)
    : sink_(sink), kind_(kind), state_(std::make_unique<State>()) {}
FrameWriter::~FrameWriter() = default;

Result<void> FrameWriter::write(BytesView bytes) {
  bytes_ += bytes.size();
  state_->digest.add(bytes);
  return sink_.write(bytes);
}

Result<void> FrameWriter::begin() {
  STRATA_ASSERT(bytes_ == 0 && kind_.magic.size() == 8);
  Bytes start(kind_.magic);
  start.push_back(kind_.version);
  return write(start);
}

Result<void> FrameWriter::prepare(uint8_t type, size_t item_bytes) {
  if (item_bytes > max_frame_bytes) {
    return Error(ErrorCode::payload_too_large, "a piece of a backup is larger than its format allows");
  }
  if (type != type_ || frame_.size() + item_bytes > frame_target_bytes) RETURN_IF_ERROR(flush());
  if (frame_.empty()) frame_.assign(frame_header_bytes, '\0');
  type_ = type;
  return {};
}

size_t FrameWriter::room() const { return frame_target_bytes - std::min(frame_.size(), frame_target_bytes); }

Result<void> FrameWriter::flush() {
  if (frame_.empty()) return {};
  Bytes fields;
  fields.push_back(static_cast<char>(type_));
  append_le32(fields, static_cast<uint32_t>(frame_.size() - frame_header_bytes));
  frame_.replace(8, fields.size(), fields);
  Bytes checksum;
  append_le64(checksum, checksum_of(frame_, frames_++));
  frame_.replace(0, 8, checksum);
  RETURN_IF_ERROR(write(frame_));
  forget(frame_);
  return {};
}

Digest128 FrameWriter::digest() const { return state_->digest.value(); }

FrameReader::FrameReader(ByteSource& source, const FileKind& kind, std::string_view what)
    : source_(source), kind_(kind), what_(what), state_(std::make_unique<State>()) {}
FrameReader::~FrameReader() = default;

Error FrameReader::broken(std::string_view why) const {
  return Error(ErrorCode::corruption,
               fmt::format("the {} is damaged near byte {} (frame {}): {}", what_, bytes_, frames_, why));
}

// Appends; memory follows what comes.
Result<void> FrameReader::read_exactly(Bytes& into, size_t count) {
  while (count > 0) {
    const size_t before = into.size();
    const size_t step = std::min(count, growth_bytes);
    into.resize(before + step);
    ASSIGN_OR_RETURN(const size_t got, source_.read(std::span(into.data() + before, step)));
    into.resize(before + got);
    if (got == 0) return broken("it ends here, before its end");
    bytes_ += got;
    count -= got;
  }
  return {};
}

Result<void> FrameReader::begin() {
  STRATA_ASSERT(bytes_ == 0);
  Bytes start;
  const auto read = read_exactly(start, kind_.magic.size() + 1);
  if (!read.ok() && read.error().code() != ErrorCode::corruption) return read.error();
  if (!read.ok() || !start.starts_with(kind_.magic)) {
    return Error(ErrorCode::corruption, fmt::format("this is not a {}: it does not begin as one", what_));
  }
  if (start.back() != kind_.version) {
    return Error(ErrorCode::corruption, fmt::format("the {} has format {}; this version reads format {}", what_,
                                                    static_cast<unsigned char>(start.back()), kind_.version));
  }
  state_->digest.add(start);
  return {};
}

Result<void> FrameReader::next() {
  state_->digest.add(frame_);
  forget(frame_);
  RETURN_IF_ERROR(read_exactly(frame_, frame_header_bytes));
  const size_t payload = read_le32(BytesView(frame_).substr(9));
  if (payload > max_frame_bytes) return broken("a frame of an impossible length");
  RETURN_IF_ERROR(read_exactly(frame_, payload));
  if (checksum_of(frame_, frames_) != read_le64(frame_)) return broken("wrong checksum");
  ++frames_;
  type_ = static_cast<uint8_t>(frame_[8]);
  rest_ = BytesView(frame_).substr(frame_header_bytes);
  return {};
}

Digest128 FrameReader::digest() const { return state_->digest.value(); }

Result<void> FrameReader::expect_end() {
  char beyond;
  ASSIGN_OR_RETURN(const size_t more, source_.read(std::span(&beyond, 1)));
  if (more != 0) return broken("bytes behind its end");
  return {};
}

}  // namespace strata::archive
