#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace strata {
namespace {

std::string encode(BytesView bytes) {
  Bytes out = "kept:";
  append_base64(out, bytes);
  EXPECT_EQ(out.substr(0, 5), "kept:");
  EXPECT_EQ(out.size() - 5, base64_encoded_size(bytes.size()));
  return out.substr(5);
}

std::optional<Bytes> decode(BytesView text) {
  // Guard bytes behind the buffer: decoding must not write past its limit.
  Bytes out(base64_decoded_limit(text.size()) + 8, '\x5A');
  const std::optional<size_t> size = base64_decode(text, out.data());
  EXPECT_EQ(out.substr(out.size() - 8), Bytes(8, '\x5A'));
  if (!size) return std::nullopt;
  out.resize(*size);
  return out;
}

TEST(Base64, VectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode(bytes), text);
    EXPECT_EQ(decode(text), bytes);
  }
}

TEST(Base64, EveryByteInEveryPlace) {
  for (int length = 1; length <= 4; ++length) {
    for (int place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        Bytes bytes(static_cast<size_t>(length), 'x');
        bytes[static_cast<size_t>(place)] = static_cast<char>(byte);
        EXPECT_EQ(decode(encode(bytes)), bytes);
      }
    }
  }
}

TEST(Base64, RandomBytesRoundTrip) {
  Random random(7);
  for (int i = 0; i < 2000; ++i) {
    Bytes bytes(random.below(200), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    EXPECT_EQ(decode(encode(bytes)), bytes);
  }
}

TEST(Base64, RefusesWhatIsNotBase64) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zm8", "Zg==\n", "Zm9v ", " Zm9", "Zm 9", "Zm-v", "Zm_v", "====", "Z===",
                           "=g==", "Zg=v", "Z=g=", "Zm9vZg==Zm9v", "Zm8=Zm8=", "!!!!", "\xC3\xA9\xC3\xA9"}) {
    EXPECT_EQ(decode(text), std::nullopt) << text;
  }
  EXPECT_EQ(decode(BytesView("Zm\0v", 4)), std::nullopt);
}

TEST(Base64, RefusesBitsBehindTheLastByte) {
  EXPECT_EQ(decode("Zh=="), std::nullopt);
  EXPECT_EQ(decode("Zm9="), std::nullopt);
}

// One character replaced by any other byte: accepted only where it encodes other bytes just as well.
TEST(Base64, AcceptsExactlyWhatItWouldWrite) {
  for (const Bytes& bytes : {Bytes("abc"), Bytes("ab"), Bytes("a"), Bytes("abcdef")}) {
    const std::string text = encode(bytes);
    for (size_t place = 0; place < text.size(); ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string changed = text;
        changed[place] = static_cast<char>(byte);
        if (const auto decoded = decode(changed)) EXPECT_EQ(encode(*decoded), changed);
      }
    }
  }
}

}  // namespace
}  // namespace strata
