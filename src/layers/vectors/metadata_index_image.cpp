// The image of a MetadataIndex: docs/formats/vector-metadata.md.
#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <tuple>

#include "archive/fields.h"
#include "archive/frames.h"
#include "layers/vectors/metadata_index_fields.h"

namespace strata::vectors {
namespace {

using archive::Fields;

constexpr archive::FileKind image_kind{.magic = "STRATAVM", .version = 1};
enum class Frame : uint8_t { field = 1, text = 2, number = 3, member = 4, slot = 5, end = 6 };
constexpr uint8_t unread_flag = 1;

void append_digest(Bytes& out, const archive::Digest128& digest) {
  append_le64(out, digest.low);
  append_le64(out, digest.high);
}

}  // namespace

class MetadataIndexWriter {
 public:
  MetadataIndexWriter(const MetadataIndex& index, ByteSink& sink)
      : index_(index), frames_(sink, image_kind), ordinals_(index.fields_.size()) {}

  Result<void> write() {
    RETURN_IF_ERROR(frames_.begin());
    RETURN_IF_ERROR(write_fields());
    std::optional<Error> failed;
    index_.all_.in_pieces([&](std::span<const uint32_t> slots) {
      for (const uint32_t slot : slots) {
        if (failed) return;
        if (auto written = write_slot(slot); !written.ok()) failed = written.error();
      }
    });
    if (failed) return *failed;
    RETURN_IF_ERROR(frames_.flush());
    const archive::Digest128 digest = frames_.digest();
    RETURN_IF_ERROR(frames_.prepare(static_cast<uint8_t>(Frame::end), 8 + 16));
    append_le64(frames_.payload(), index_.all_.count());
    append_digest(frames_.payload(), digest);
    return frames_.flush();
  }

 private:
  using Kind = MetadataIndex::Kind;
  using Reference = MetadataIndex::Reference;
  // By number, the place in the image.
  struct Ordinals {
    uint32_t field = 0;
    std::vector<uint32_t> texts;
    std::vector<uint32_t> numbers;
    std::vector<uint32_t> members;
  };

  Result<void> write_fields() {
    std::vector<std::pair<std::string_view, uint32_t>> names(index_.names_.begin(), index_.names_.end());
    std::ranges::sort(names);
    uint32_t ordinal = 0;
    for (const auto& [name, number] : names) {
      const MetadataIndex::Field& field = *index_.fields_[number];
      ordinals_[number].field = ordinal++;
      RETURN_IF_ERROR(write_text(Frame::field, name));
      RETURN_IF_ERROR(write_texts(Frame::text, field.texts.get(), ordinals_[number].texts));
      RETURN_IF_ERROR(write_numbers(field.numbers.get(), ordinals_[number].numbers));
      RETURN_IF_ERROR(write_texts(Frame::member, field.members.get(), ordinals_[number].members));
    }
    return {};
  }

  Result<void> write_text(Frame type, std::string_view text) {
    RETURN_IF_ERROR(frames_.prepare(static_cast<uint8_t>(type), 2 + text.size()));
    archive::append_sized16(frames_.payload(), text);
    return {};
  }

  Result<void> write_texts(Frame type, const TextValues* values, std::vector<uint32_t>& ordinals) {
    return write_values(values, ordinals, [&](std::string_view key) { return write_text(type, key); });
  }

  Result<void> write_numbers(const NumberValues* values, std::vector<uint32_t>& ordinals) {
    return write_values(values, ordinals, [&](MetadataNumber key) -> Result<void> {
      RETURN_IF_ERROR(frames_.prepare(static_cast<uint8_t>(Frame::number), 1 + 8));
      frames_.payload().push_back(key.is_integer() ? 0 : 1);
      append_le64(frames_.payload(),
                  key.is_integer() ? static_cast<uint64_t>(key.integer()) : std::bit_cast<uint64_t>(key.real()));
      return {};
    });
  }

  template <class Values, class Write>
  Result<void> write_values(const Values* values, std::vector<uint32_t>& ordinals, const Write& write_key) {
    if (!values) return {};
    Result<void> written;
    uint32_t ordinal = 0;
    values->for_each([&](uint32_t number, auto key) {
      if (!written.ok()) return;
      if (ordinals.size() <= number) ordinals.resize(size_t{number} + 1);
      ordinals[number] = ordinal++;
      written = write_key(key);
    });
    return written;
  }

  uint32_t ordinal_of(const Reference& reference) const {
    const Ordinals& field = ordinals_[reference.field];
    switch (reference.kind) {
      case Kind::text:
        return field.texts[reference.value];
      case Kind::number:
        return field.numbers[reference.value];
      case Kind::member:
        return field.members[reference.value];
      default:
        return 0;
    }
  }

  Result<void> write_slot(uint32_t slot) {
    references_.clear();
    if (slot < index_.entries_.size()) {
      const MetadataIndex::Entry& entry = index_.entries_[slot];
      for (uint32_t i = 0; i < entry.count; ++i) {
        const Reference& reference = entry.references[i];
        references_.emplace_back(ordinals_[reference.field].field, reference.kind, ordinal_of(reference));
      }
    }
    std::ranges::sort(references_);
    RETURN_IF_ERROR(frames_.prepare(static_cast<uint8_t>(Frame::slot), 4 + 1 + 4 + references_.size() * 9));
    Bytes& out = frames_.payload();
    append_le32(out, slot);
    out.push_back(index_.unread_.contains(slot) ? unread_flag : 0);
    append_le32(out, static_cast<uint32_t>(references_.size()));
    for (const auto& [field, kind, value] : references_) {
      append_le32(out, field);
      out.push_back(static_cast<char>(kind));
      append_le32(out, value);
    }
    return {};
  }

  const MetadataIndex& index_;
  archive::FrameWriter frames_;
  std::vector<Ordinals> ordinals_;
  std::vector<std::tuple<uint32_t, Kind, uint32_t>> references_;
};

class MetadataIndexReader {
 public:
  MetadataIndexReader(ByteSource& source, uint64_t slot_limit)
      : slot_limit_(slot_limit), frames_(source, image_kind, "metadata index") {}

  Result<MetadataIndex> read() {
    RETURN_IF_ERROR(frames_.begin());
    for (;;) {
      RETURN_IF_ERROR(frames_.next());
      const auto type = static_cast<Frame>(frames_.type());
      if (type == Frame::end) {
        RETURN_IF_ERROR(end());
        return std::move(index_);
      }
      const bool is_known = type >= Frame::field && type <= Frame::slot;
      // Fields with their values, in this order, then slots.
      const bool is_in_order = type >= last_ || (type == Frame::field && last_ < Frame::slot);
      if (!is_known || !is_in_order || (type > Frame::field && type < Frame::slot && index_.fields_.empty())) {
        return frames_.broken("a frame that does not belong here");
      }
      last_ = type;
      while (!frames_.rest().empty()) RETURN_IF_ERROR(item(type));
    }
  }

 private:
  using Kind = MetadataIndex::Kind;
  using Reference = MetadataIndex::Reference;

  Result<void> item(Frame type) {
    Fields fields(frames_.rest());
    switch (type) {
      case Frame::field:
        return field(fields);
      case Frame::text:
        return text(fields, index_.fields_.back()->make_texts());
      case Frame::number:
        return number(fields, index_.fields_.back()->make_numbers());
      case Frame::member:
        return text(fields, index_.fields_.back()->make_members());
      default:
        return slot(fields);
    }
  }

  Result<void> field(Fields& fields) {
    std::string name(fields.take_sized16());
    const bool is_in_order = index_.fields_.empty() || index_.fields_.back()->name < name;
    if (!fields.ok() || !is_in_order || index_.fields_.size() >= max_indexed_fields) {
      return frames_.broken("a field that does not belong here");
    }
    index_.names_.emplace(name, static_cast<uint32_t>(index_.fields_.size()));
    index_.fields_.push_back(std::make_unique<MetadataIndex::Field>());
    index_.fields_.back()->name = std::move(name);
    return {};
  }

  Result<void> text(Fields& fields, TextValues& values) {
    const BytesView key = fields.take_sized16();
    const bool fits = fields.ok() && key.size() <= max_indexed_text_bytes && (values.size() == 0 || last_text_ < key);
    if (!fits) return frames_.broken("a text that does not belong here");
    last_text_ = key;
    values.append(key);
    return {};
  }

  Result<void> number(Fields& fields, NumberValues& values) {
    const uint8_t kind = fields.take8();
    const uint64_t bits = fields.take64();
    const auto real = std::bit_cast<double>(bits);
    if (!fields.ok() || kind > 1 || (kind == 1 && !std::isfinite(real))) return frames_.broken("a broken number");
    const MetadataNumber key = kind == 0 ? MetadataNumber(static_cast<int64_t>(bits)) : MetadataNumber(real);
    if (key.is_integer() != (kind == 0) || (values.size() > 0 && key <= last_number_)) {
      return frames_.broken("a number that does not belong here");
    }
    last_number_ = key;
    values.append(key);
    return {};
  }

  Result<void> slot(Fields& fields) {
    const uint32_t slot = fields.take32();
    const uint8_t flags = fields.take8();
    const uint32_t count = fields.take32();
    const bool is_new = slots_ == 0 || slot > last_slot_;
    if (!fields.ok() || slot >= slot_limit_ || !is_new || flags > unread_flag || (flags == unread_flag && count > 0) ||
        count > frames_.rest().size() / 9) {
      return frames_.broken("a slot that does not belong here");
    }
    last_slot_ = slot;
    ++slots_;
    if (flags == unread_flag) {
      index_.add_unread(slot);
      return {};
    }
    references_.clear();
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t field = fields.take32();
      const auto kind = static_cast<Kind>(fields.take8());
      references_.push_back({field, kind, fields.take32()});
      if (!add(slot, i)) return frames_.broken("a reference that does not belong here");
    }
    index_.keep(slot, references_);
    return {};
  }

  // In order, one value a field, but for members of a list and its length; and what it refers to is there.
  bool add(uint32_t slot, uint32_t at) {
    const Reference& reference = references_[at];
    if (reference.field >= index_.fields_.size() || reference.kind > Kind::member) return false;
    MetadataIndex::Field& field = *index_.fields_[reference.field];
    const Reference* before = at > 0 ? &references_[at - 1] : nullptr;
    if (before && before->field > reference.field) return false;
    const bool same_field = before && before->field == reference.field;
    const bool is_part = reference.kind == Kind::long_list || reference.kind == Kind::member;
    if (is_part != same_field) return false;
    if (is_part && (before->kind < Kind::list ||
                    std::tie(before->kind, before->value) >= std::tie(reference.kind, reference.value))) {
      return false;
    }
    field.present.add(slot);
    const auto add_to = [&](auto& values) {
      if (!values || reference.value >= values->size()) return false;
      values->add_slot(reference.value, slot);
      return true;
    };
    switch (reference.kind) {
      case Kind::text:
        return add_to(field.texts);
      case Kind::number:
        return add_to(field.numbers);
      case Kind::member:
        return add_to(field.members);
      default:
        field.set_of(reference.kind).add(slot);
        return reference.value == 0;
    }
  }

  Result<void> end() {
    const archive::Digest128 before = frames_.digest();
    Fields fields(frames_.rest());
    const uint64_t slots = fields.take64();
    const uint64_t low = fields.take64();
    const archive::Digest128 digest{.low = low, .high = fields.take64()};
    if (!fields.all() || slots != slots_ || digest != before) {
      return frames_.broken("the end does not fit what came before it");
    }
    for (const auto& field : index_.fields_) {
      const bool whole = (!field->texts || field->texts->finish()) && (!field->numbers || field->numbers->finish()) &&
                         (!field->members || field->members->finish());
      if (!whole || field->present.empty()) return frames_.broken("a value that no slot has");
    }
    return frames_.expect_end();
  }

  const uint64_t slot_limit_;
  archive::FrameReader frames_;
  MetadataIndex index_;
  Frame last_ = Frame::field;
  std::string last_text_;
  MetadataNumber last_number_ = int64_t{0};
  uint32_t last_slot_ = 0;
  uint64_t slots_ = 0;
  std::vector<Reference> references_;
};

Result<void> MetadataIndex::save(ByteSink& sink) const { return MetadataIndexWriter(*this, sink).write(); }

Result<MetadataIndex> MetadataIndex::load(ByteSource& source, uint64_t slot_limit) {
  return MetadataIndexReader(source, slot_limit).read();
}

}  // namespace strata::vectors
