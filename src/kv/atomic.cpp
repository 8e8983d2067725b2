#include "kv/atomic.h"

#include <algorithm>
#include <cstring>

namespace strata::kv {
namespace {

unsigned char byte_at(BytesView bytes, size_t i) {
  return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : static_cast<unsigned char>(0);
}

template <class Operation>
Bytes bitwise(BytesView existing, BytesView operand, Operation operation) {
  Bytes out(operand.size(), '\0');
  for (size_t i = 0; i < operand.size(); ++i) {
    out[i] = static_cast<char>(operation(byte_at(existing, i), byte_at(operand, i)));
  }
  return out;
}

Bytes add(BytesView existing, BytesView operand) {
  Bytes out(operand.size(), '\0');
  unsigned carry = 0;
  for (size_t i = 0; i < operand.size(); ++i) {
    const unsigned sum = byte_at(existing, i) + byte_at(operand, i) + carry;
    out[i] = static_cast<char>(sum & 0xFF);
    carry = sum >> 8;
  }
  return out;
}

// Compares as unsigned little-endian numbers of the operand's length: the existing value is cut or padded to it.
bool existing_is_greater(BytesView existing, BytesView operand) {
  for (size_t i = operand.size(); i-- > 0;) {
    if (byte_at(existing, i) != byte_at(operand, i)) return byte_at(existing, i) > byte_at(operand, i);
  }
  return false;
}

Bytes fitted(BytesView existing, size_t size) {
  Bytes out(existing.substr(0, size));
  out.resize(size, '\0');
  return out;
}

}  // namespace

bool is_atomic(MutationType type) {
  switch (type) {
    case MutationType::add:
    case MutationType::bit_and:
    case MutationType::bit_or:
    case MutationType::bit_xor:
    case MutationType::append_if_fits:
    case MutationType::max:
    case MutationType::min:
    case MutationType::byte_min:
    case MutationType::byte_max:
    case MutationType::compare_and_clear:
      return true;
    case MutationType::set:
    case MutationType::clear:
    case MutationType::clear_range:
    case MutationType::set_versionstamped_key:
    case MutationType::set_versionstamped_value:
      return false;
  }
  return false;
}

std::optional<Bytes> apply_atomic(MutationType type, std::optional<BytesView> existing, BytesView operand,
                                  size_t value_limit_bytes) {
  STRATA_ASSERT(is_atomic(type));
  if (type == MutationType::compare_and_clear) {
    if (existing && *existing == operand) return std::nullopt;
    return existing ? std::optional<Bytes>(*existing) : std::nullopt;
  }
  if (!existing) return Bytes(operand);
  switch (type) {
    case MutationType::add:
      return add(*existing, operand);
    case MutationType::bit_and:
      return bitwise(*existing, operand, [](unsigned a, unsigned b) { return a & b; });
    case MutationType::bit_or:
      return bitwise(*existing, operand, [](unsigned a, unsigned b) { return a | b; });
    case MutationType::bit_xor:
      return bitwise(*existing, operand, [](unsigned a, unsigned b) { return a ^ b; });
    case MutationType::append_if_fits: {
      Bytes joined(*existing);
      if (existing->size() + operand.size() <= value_limit_bytes) joined.append(operand);
      return joined;
    }
    case MutationType::max:
      return existing_is_greater(*existing, operand) ? fitted(*existing, operand.size()) : Bytes(operand);
    case MutationType::min:
      return existing_is_greater(*existing, operand) ? Bytes(operand) : fitted(*existing, operand.size());
    case MutationType::byte_min:
      return Bytes(std::min(*existing, operand));
    case MutationType::byte_max:
      return Bytes(std::max(*existing, operand));
    default:
      break;
  }
  STRATA_ASSERT(false);
  return std::nullopt;
}

Bytes make_versionstamp(const Committed& committed) {
  Bytes stamp;
  append_be64(stamp, static_cast<uint64_t>(committed.version));
  append_be16(stamp, committed.batch_order);
  return stamp;
}

bool versionstamp_offset_ok(BytesView operand) {
  if (operand.size() < 4) return false;
  const uint64_t offset = read_le32(operand.substr(operand.size() - 4));
  return offset + 10 <= operand.size() - 4;
}

Bytes apply_versionstamp(BytesView operand, BytesView stamp) {
  STRATA_ASSERT(versionstamp_offset_ok(operand) && stamp.size() == 10);
  const uint32_t offset = read_le32(operand.substr(operand.size() - 4));
  Bytes out(operand.substr(0, operand.size() - 4));
  out.replace(offset, 10, stamp);
  return out;
}

BytesView stamp_in_place(BytesView operand, BytesView stamp) {
  STRATA_ASSERT(versionstamp_offset_ok(operand) && stamp.size() == 10);
  const uint32_t offset = read_le32(operand.substr(operand.size() - 4));
  std::memcpy(const_cast<char*>(operand.data()) + offset, stamp.data(), stamp.size());
  return operand.substr(0, operand.size() - 4);
}

}  // namespace strata::kv
