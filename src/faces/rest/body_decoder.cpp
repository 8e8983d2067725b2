#include "faces/rest/body_decoder.h"

#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

namespace strata::rest {
namespace {

Error broken(std::string_view coding) {
  return {ErrorCode::invalid_argument, "request body is not valid " + std::string(coding)};
}

uInt clamp_to_uint(size_t size) { return static_cast<uInt>(std::min<size_t>(size, std::numeric_limits<uInt>::max())); }

class ZlibDecoder final : public BodyDecoder {
 public:
  enum class Format { gzip, deflate };
  explicit ZlibDecoder(Format format) : format_(format) {
    // 15 bits of window; +16: a gzip header and trailer, checksum verified.
    STRATA_ASSERT(inflateInit2(&stream_, format == Format::gzip ? 15 + 16 : 15) == Z_OK);
  }
  ~ZlibDecoder() override { inflateEnd(&stream_); }
  ZlibDecoder(const ZlibDecoder&) = delete;
  ZlibDecoder& operator=(const ZlibDecoder&) = delete;

  Result<Step> decode(BytesView input, std::span<char> output) override {
    if (ended_) {
      if (input.empty()) return Step{};
      // A gzip file may be several members, one behind the other.
      if (format_ != Format::gzip) return broken("deflate: bytes behind its end");
      if (inflateReset(&stream_) != Z_OK) return broken("gzip");
      ended_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = clamp_to_uint(input.size());
    stream_.next_out = reinterpret_cast<Bytef*>(output.data());
    stream_.avail_out = clamp_to_uint(output.size());
    const uInt in = stream_.avail_in;
    const uInt out = stream_.avail_out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      ended_ = true;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return broken(format_ == Format::gzip ? "gzip" : "deflate");
    }
    return Step{in - stream_.avail_in, out - stream_.avail_out};
  }
  bool complete() const override { return ended_; }

 private:
  const Format format_;
  z_stream stream_{};
  bool ended_ = false;
};

class ZstdDecoder final : public BodyDecoder {
 public:
  // RFC 8878, 3.1.1.1.2: decoders should support 8 MiB of window, and need not support more.
  static constexpr int max_window_log = 23;

  ZstdDecoder() : stream_(ZSTD_createDStream()) {
    STRATA_ASSERT(stream_ != nullptr);
    STRATA_ASSERT(!ZSTD_isError(ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, max_window_log)));
  }
  ~ZstdDecoder() override { ZSTD_freeDStream(stream_); }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  Result<Step> decode(BytesView input, std::span<char> output) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{output.data(), output.size(), 0};
    const size_t hint = ZSTD_decompressStream(stream_, &out, &in);
    if (ZSTD_isError(hint)) return broken("zstd (or its window exceeds 8 MiB)");
    // 0: a frame is decoded and flushed. A call without progress, after the end, says nothing new.
    if (in.pos > 0 || out.pos > 0) complete_ = hint == 0;
    return Step{in.pos, out.pos};
  }
  bool complete() const override { return complete_; }

 private:
  ZSTD_DStream* stream_;
  bool complete_ = false;
};

bool is(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Result<std::unique_ptr<BodyDecoder>> make_body_decoder(std::string_view content_encoding) {
  using Pointer = std::unique_ptr<BodyDecoder>;
  if (content_encoding.empty() || is(content_encoding, "identity")) return Pointer();
  if (is(content_encoding, "gzip") || is(content_encoding, "x-gzip")) {
    return Pointer(new ZlibDecoder(ZlibDecoder::Format::gzip));
  }
  if (is(content_encoding, "deflate")) return Pointer(new ZlibDecoder(ZlibDecoder::Format::deflate));
  if (is(content_encoding, "zstd")) return Pointer(new ZstdDecoder());
  return Error(ErrorCode::unsupported_media_type, "content encoding not supported: use gzip, deflate or zstd");
}

}  // namespace strata::rest
