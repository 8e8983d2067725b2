#include "layers/vectors/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "archive/fields.h"

namespace strata::vectors {
namespace {

using archive::append_sized16;
using archive::append_sized32;

constexpr char format = 1;
// The kind of a value is its place in the variant, which is therefore part of the format.
static_assert(std::is_same_v<std::variant_alternative_t<0, MetadataValue>, std::string>);
static_assert(std::is_same_v<std::variant_alternative_t<1, MetadataValue>, int64_t>);
static_assert(std::is_same_v<std::variant_alternative_t<2, MetadataValue>, double>);
static_assert(std::is_same_v<std::variant_alternative_t<3, MetadataValue>, bool>);
static_assert(std::is_same_v<std::variant_alternative_t<4, MetadataValue>, StringList>);

struct Encoder {
  Bytes& out;
  void operator()(const std::string& text) const { append_sized32(out, text); }
  void operator()(int64_t value) const { append_le64(out, static_cast<uint64_t>(value)); }
  void operator()(double value) const { append_le64(out, std::bit_cast<uint64_t>(value)); }
  void operator()(bool value) const { out.push_back(value ? 1 : 0); }
  void operator()(const StringList& list) const {
    append_le32(out, static_cast<uint32_t>(list.size()));
    for (const std::string& text : list) append_sized32(out, text);
  }
};

struct EncodedSize {
  size_t operator()(const std::string& text) const { return 4 + text.size(); }
  size_t operator()(int64_t) const { return 8; }
  size_t operator()(double) const { return 8; }
  size_t operator()(bool) const { return 1; }
  size_t operator()(const StringList& list) const {
    size_t size = 4;
    for (const std::string& text : list) size += 4 + text.size();
    return size;
  }
};

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

std::optional<MetadataValue> take_value(archive::Fields& fields) {
  switch (fields.take8()) {
    case 0:
      return std::string(fields.take_sized32());
    case 1:
      return static_cast<int64_t>(fields.take64());
    case 2: {
      const auto value = std::bit_cast<double>(fields.take64());
      if (!std::isfinite(value)) return std::nullopt;
      return value;
    }
    case 3: {
      const uint8_t value = fields.take8();
      if (value > 1) return std::nullopt;
      return value == 1;
    }
    case 4: {
      StringList list;
      // Every text has its length at least, so a count that lies ends the loop with the bytes.
      for (uint32_t count = fields.take32(); count > 0 && fields.ok(); --count)
        list.emplace_back(fields.take_sized32());
      return list;
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<void> check_metadata(Metadata& metadata) {
  if (metadata.size() > max_metadata_fields) {
    return invalid(fmt::format("metadata has {} fields, the limit is {}", metadata.size(), max_metadata_fields));
  }
  std::ranges::sort(metadata, {}, &MetadataField::name);
  for (size_t i = 0; i < metadata.size(); ++i) {
    const MetadataField& field = metadata[i];
    const auto name = [&] { return printable(field.name, 60); };
    if (i > 0 && metadata[i - 1].name == field.name) return invalid(fmt::format("metadata holds {} twice", name()));
    if (field.name.size() > max_metadata_name_bytes) {
      return invalid(fmt::format("the name {} in metadata is longer than {} bytes", name(), max_metadata_name_bytes));
    }
    const double* real = std::get_if<double>(&field.value);
    if (real && !std::isfinite(*real)) return invalid(fmt::format("metadata.{} is not a finite number", name()));
  }
  if (const size_t size = encoded_size(metadata); size > max_metadata_bytes) {
    return invalid(fmt::format("metadata takes {} bytes, the limit is {}", size, max_metadata_bytes));
  }
  return {};
}

const MetadataValue* find_field(const Metadata& metadata, std::string_view name) {
  const auto found = std::ranges::lower_bound(metadata, name, {}, &MetadataField::name);
  return found != metadata.end() && found->name == name ? &found->value : nullptr;
}

size_t encoded_size(const Metadata& metadata) {
  size_t size = 3;
  for (const MetadataField& field : metadata) {
    size += 2 + field.name.size() + 1 + std::visit(EncodedSize{}, field.value);
  }
  return size;
}

Bytes encode_metadata(const Metadata& metadata) {
  STRATA_ASSERT(metadata.size() <= max_metadata_fields);
  Bytes out;
  out.reserve(encoded_size(metadata));
  out.push_back(format);
  out.push_back(static_cast<char>(metadata.size() & 0xFF));
  out.push_back(static_cast<char>(metadata.size() >> 8));
  for (const MetadataField& field : metadata) {
    append_sized16(out, field.name);
    out.push_back(static_cast<char>(field.value.index()));
    std::visit(Encoder{out}, field.value);
  }
  return out;
}

Result<Metadata> decode_metadata(BytesView bytes) {
  const auto corrupt = [](std::string_view why) {
    return Error(ErrorCode::corruption, fmt::format("stored metadata is broken: {}", why));
  };
  archive::Fields fields(bytes);
  if (fields.take8() != format) return corrupt("unknown format");
  const size_t low = fields.take8();
  const size_t count = low | static_cast<size_t>(fields.take8()) << 8;
  if (count > max_metadata_fields) return corrupt("too many fields");
  Metadata metadata;
  metadata.reserve(count);
  for (size_t i = 0; i < count && fields.ok(); ++i) {
    std::string name(fields.take_sized16());
    std::optional<MetadataValue> value = take_value(fields);
    if (!value) return corrupt("unknown value");
    if (i > 0 && metadata.back().name >= name) return corrupt("names are not in order");
    metadata.push_back({std::move(name), *std::move(value)});
  }
  if (!fields.all()) return corrupt("wrong length");
  return metadata;
}

MetadataNumber::MetadataNumber(double value) {
  // -2^63 is a double, 2^63 - 1 is none.
  if (value >= -0x1p63 && value < 0x1p63 && std::trunc(value) == value) {
    integer_ = static_cast<int64_t>(value);
    return;
  }
  is_integer_ = false;
  real_ = value;
}

std::optional<MetadataNumber> MetadataNumber::of(const MetadataValue& value) {
  if (const int64_t* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const double* real = std::get_if<double>(&value)) return *real;
  return std::nullopt;
}

namespace {

// `real` is not an integer of 64 bits.
std::strong_ordering against_real(int64_t integer, double real) {
  if (real >= 0x1p63) return std::strong_ordering::less;
  if (real < -0x1p63) return std::strong_ordering::greater;
  return integer <= static_cast<int64_t>(std::floor(real)) ? std::strong_ordering::less : std::strong_ordering::greater;
}

}  // namespace

std::strong_ordering operator<=>(const MetadataNumber& a, const MetadataNumber& b) {
  if (a.is_integer_ && b.is_integer_) return a.integer_ <=> b.integer_;
  if (a.is_integer_) return against_real(a.integer_, b.real_);
  if (b.is_integer_) return 0 <=> against_real(b.integer_, a.real_);
  return a.real_ < b.real_   ? std::strong_ordering::less
         : a.real_ > b.real_ ? std::strong_ordering::greater
                             : std::strong_ordering::equal;
}

}  // namespace strata::vectors
