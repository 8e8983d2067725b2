// Frames: a file that says of itself whether it is whole and undamaged.
//
// Purpose:       the part that all files of backups share: a magic word and a version, then frames, each with a type, a
//                length and a checksum; the last one carries a digest of everything before it. docs/formats/backup.md
//                describes the bytes.
// Ownership:     borrow their sink or source.
// Thread safety: none.
// Invariants:    the writer holds one frame. The reader hands out the payload of a frame only when its checksum is
//                right; memory follows the bytes that came, never a length that a file claims.
// Errors:        of the reader: corruption, with the place in the file, for everything that is not as it was written;
//                and the source's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/byte_stream.h"

namespace strata::archive {

// checksum, type, length of the payload
inline constexpr size_t frame_header_bytes = 8 + 1 + 4;
// Frames are filled up to this; an item that is larger has one of its own.
inline constexpr size_t frame_target_bytes = 256u << 10;
// The largest item is a record of a log: one transaction (64 MiB and its bookkeeping).
inline constexpr size_t max_frame_bytes = 128u << 20;

struct FileKind {
  std::string_view magic;  // 8 bytes
  char version = 1;
};

struct Digest128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Digest128&, const Digest128&) = default;
};

class FrameWriter {
 public:
  FrameWriter(ByteSink& sink, const FileKind& kind);
  ~FrameWriter();

  // First: the magic word and the version.
  Result<void> begin();
  // Makes room for an item of so many bytes in a frame of this type: the one that is open, or a new one. Then the item
  // is appended to payload(). payload_too_large: no frame can hold it.
  Result<void> prepare(uint8_t type, size_t item_bytes);
  Bytes& payload() { return frame_; }
  // Nothing was appended since the last flush.
  bool empty() const { return frame_.empty(); }
  // How much more fits before a new frame is begun.
  size_t room() const;
  // Writes the open frame, where there is one.
  Result<void> flush();
  // Of everything that was flushed.
  Digest128 digest() const;
  uint64_t bytes() const { return bytes_; }
  uint64_t frames() const { return frames_; }

 private:
  struct State;
  Result<void> write(BytesView bytes);

  ByteSink& sink_;
  const FileKind kind_;
  const std::unique_ptr<State> state_;
  uint8_t type_ = 0;
  Bytes frame_;  // its header's room first; empty: none is open
  uint64_t frames_ = 0;
  uint64_t bytes_ = 0;
};

class FrameReader {
 public:
  // what: "backup", as messages call the file.
  FrameReader(ByteSource& source, const FileKind& kind, std::string_view what);
  ~FrameReader();

  // First. Another magic word, or a version that this program does not know, is corruption.
  Result<void> begin();
  // The next frame; its payload is viewed until the next call.
  Result<void> next();
  uint8_t type() const { return type_; }
  // Of the payload, what has not been taken yet.
  BytesView& rest() { return rest_; }
  // Of everything before the frame that is open.
  Digest128 digest() const;
  // Nothing follows the frame that is open; else corruption.
  Result<void> expect_end();

  // An error that says where it was met.
  Error broken(std::string_view why) const;
  uint64_t bytes() const { return bytes_; }

 private:
  struct State;
  Result<void> read_exactly(Bytes& into, size_t count);

  ByteSource& source_;
  const FileKind kind_;
  const std::string what_;
  const std::unique_ptr<State> state_;
  Bytes frame_;  // header and payload
  uint8_t type_ = 0;
  BytesView rest_;
  uint64_t frames_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace strata::archive
