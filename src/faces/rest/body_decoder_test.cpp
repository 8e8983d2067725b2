#include "faces/rest/body_decoder.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

namespace strata::rest {
namespace {

Bytes zlib_pack(BytesView bytes, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
Bytes gzip(BytesView bytes) { return zlib_pack(bytes, 15 + 16); }
Bytes deflated(BytesView bytes) { return zlib_pack(bytes, 15); }

Bytes zstd(BytesView bytes, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (window_log != 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  // Without the content size, so that the window stays as asked.
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  Bytes out(ZSTD_compressBound(bytes.size()), '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer buffer{out.data(), out.size(), 0};
  while (ZSTD_compressStream2(context, &buffer, &in, ZSTD_e_continue) != 0 && in.pos < in.size) {
  }
  EXPECT_EQ(ZSTD_compressStream2(context, &buffer, &in, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(buffer.pos);
  return out;
}

Result<Bytes> unpack(std::string_view coding, BytesView packed, size_t piece, size_t output_bytes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<BodyDecoder> decoder, make_body_decoder(coding));
  Bytes out;
  Bytes buffer(output_bytes, '\0');
  BytesView input;
  for (size_t given = 0;;) {
    ASSIGN_OR_RETURN(const BodyDecoder::Step step, decoder->decode(input, buffer));
    out.append(buffer, 0, step.produced);
    input.remove_prefix(step.consumed);
    if (step.produced > 0 || step.consumed > 0) continue;
    if (given == packed.size()) break;
    input = packed.substr(given, piece);
    given += input.size();
  }
  if (!decoder->complete()) return ErrorCode::operation_cancelled;
  return out;
}

TEST(BodyDecoder, RoundTripsInPiecesOfEverySize) {
  Bytes text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919);
  const std::pair<const char*, Bytes> codings[] = {{"gzip", gzip(text)},
                                                   {"x-gzip", gzip(text)},
                                                   {"GZIP", gzip(text)},
                                                   {"deflate", deflated(text)},
                                                   {"zstd", zstd(text)}};
  for (const auto& [coding, packed] : codings) {
    for (size_t piece : {1, 7, 16'384, 1'000'000}) {
      const Result<Bytes> unpacked = unpack(coding, packed, piece, 4'096);
      ASSERT_TRUE(unpacked.ok()) << coding << ": " << unpacked.error().message();
      EXPECT_TRUE(*unpacked == text) << coding << " in pieces of " << piece;
    }
  }
}

TEST(BodyDecoder, SeveralMembersAndFrames) {
  EXPECT_EQ(unpack("gzip", gzip("one ") + gzip("two"), 1, 100).value(), "one two");
  EXPECT_EQ(unpack("zstd", zstd("one ") + zstd("two"), 1, 100).value(), "one two");
}

TEST(BodyDecoder, TruncatedIsNotComplete) {
  for (const auto& [coding, packed] :
       {std::pair{"gzip", gzip("hello hello")}, std::pair{"deflate", deflated("hello hello")},
        std::pair{"zstd", zstd("hello hello")}}) {
    for (size_t size = 0; size < packed.size(); ++size) {
      EXPECT_FALSE(unpack(coding, BytesView(packed).substr(0, size), 100, 100).ok()) << coding << " " << size;
    }
  }
}

TEST(BodyDecoder, NonsenseAndWrongChecksumsAreRefused) {
  Bytes wrong = gzip("hello");
  wrong[wrong.size() - 6] ^= 1;
  EXPECT_EQ(unpack("gzip", wrong, 100, 100).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(unpack("gzip", gzip("hello") + "trailing", 100, 100).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(unpack("deflate", deflated("hello") + "trailing", 100, 100).error().code(), ErrorCode::invalid_argument);
  for (const char* coding : {"gzip", "deflate", "zstd"}) {
    EXPECT_EQ(unpack(coding, "certainly not compressed", 100, 100).error().code(), ErrorCode::invalid_argument);
  }
}

TEST(BodyDecoder, WindowsAboveEightMegabytesAreRefused) {
  const Bytes text(20 << 20, 'x');
  EXPECT_TRUE(unpack("zstd", zstd(text, 23), 65'536, 65'536).ok());
  EXPECT_EQ(unpack("zstd", zstd(text, 24), 65'536, 65'536).error().code(), ErrorCode::invalid_argument);
}

TEST(BodyDecoder, UnknownCodings) {
  EXPECT_EQ(make_body_decoder("").value(), nullptr);
  EXPECT_EQ(make_body_decoder("identity").value(), nullptr);
  for (const char* coding : {"br", "compress", "gzip, gzip", "multiple", "gzip "}) {
    EXPECT_EQ(make_body_decoder(coding).error().code(), ErrorCode::unsupported_media_type) << coding;
  }
}

}  // namespace
}  // namespace strata::rest
