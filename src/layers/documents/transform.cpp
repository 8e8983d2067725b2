#include "layers/documents/transform.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/parse_number.h"
#include "layers/documents/document_text.h"

namespace strata::documents {
namespace {

using Operator = TransformOperator;

struct OperatorRow {
  std::string_view name;
  Operator op;
  bool needs_value;
};
constexpr std::array<OperatorRow, 12> operators = {{
    {"$set", Operator::set, true},
    {"$unset", Operator::unset, false},
    {"$inc", Operator::increment, true},
    {"$mul", Operator::multiply, true},
    {"$min", Operator::minimum, true},
    {"$max", Operator::maximum, true},
    {"$push", Operator::push, true},
    {"$addToSet", Operator::add_to_set, true},
    {"$pull", Operator::pull, true},
    {"$pop", Operator::pop, true},
    {"$currentDate", Operator::current_date, false},
    {"$rename", Operator::rename, true},
}};

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

std::string_view name_of(Operator op) { return std::ranges::find(operators, op, &OperatorRow::op)->name; }

// What is wrong about the field that the operation names.
Error wrong(const TransformOperation& operation, std::string_view what) {
  return invalid(fmt::format("{} of {}: {}", name_of(operation.op), operation.path.to_string(), what));
}

std::string_view type_of(const Value& value) {
  static constexpr std::string_view names[] = {"null",     "a boolean", "a number", "a number",
                                               "a number", "a string",  "an array", "an object"};
  return names[value.data.index()];
}

using Segments = std::span<const std::string>;

// The value below `container`; null when there is none.
Value* child_of(Value& container, const std::string& segment, TransformContext& context) {
  if (auto* object = container.get_if<Object>()) {
    context.work += object->size();
    return find_member(*object, segment);
  }
  if (auto* array = container.get_if<Array>()) {
    const auto index = parse_number<size_t>(segment);
    if (index && *index < array->size()) return &(*array)[*index];
  }
  return nullptr;
}

Value* find(Value& root, Segments path, TransformContext& context) {
  Value* at = &root;
  for (const std::string& segment : path) {
    at = child_of(*at, segment, context);
    if (!at) return nullptr;
  }
  return at;
}

// The value at the path; where it is missing it is made, and the objects on the way.
Result<Value*> find_or_make(Value& root, const TransformOperation& operation, Segments path, bool& made,
                            TransformContext& context) {
  Value* at = &root;
  made = false;
  for (size_t i = 0; i < path.size(); ++i) {
    if (Value* child = child_of(*at, path[i], context)) {
      at = child;
      continue;
    }
    Value next;
    if (i + 1 < path.size()) next.data = Object();
    if (auto* object = at->get_if<Object>()) {
      object->push_back({path[i], std::move(next)});
      at = &object->back().value;
    } else if (auto* array = at->get_if<Array>()) {
      const auto index = parse_number<size_t>(path[i]);
      if (!index) return wrong(operation, fmt::format("{} is no index of an array", path[i]));
      if (*index != array->size()) {
        return wrong(operation, fmt::format("the array has {} elements, {} is beyond its end", array->size(), *index));
      }
      array->push_back(std::move(next));
      at = &array->back();
    } else {
      return wrong(operation, fmt::format("{} is in the way where an object is needed", type_of(*at)));
    }
    made = true;
  }
  return at;
}

// False: there was nothing.
bool remove(Value& root, Segments path, TransformContext& context) {
  Value* parent = find(root, path.first(path.size() - 1), context);
  if (!parent) return false;
  if (auto* object = parent->get_if<Object>()) {
    context.work += object->size();
    const auto found = std::ranges::find(*object, path.back(), &Member::name);
    if (found == object->end()) return false;
    object->erase(found);
    return true;
  }
  auto* array = parent->get_if<Array>();
  const auto index = array ? parse_number<size_t>(path.back()) : std::nullopt;
  if (!index || *index >= array->size()) return false;
  context.work += array->size();
  array->erase(array->begin() + static_cast<ptrdiff_t>(*index));
  return true;
}

// The integer of 65 bits; nullopt for a double.
std::optional<__int128> integer_of(const Value& value) {
  if (const auto* integer = value.get_if<int64_t>()) return *integer;
  if (const auto* natural = value.get_if<uint64_t>()) return static_cast<__int128>(*natural);
  return std::nullopt;
}

double double_of(const Value& value) {
  if (const auto* number = value.get_if<double>()) return *number;
  return static_cast<double>(*integer_of(value));
}

std::optional<Value> integer_value(__int128 number) {
  if (number >= INT64_MIN && number <= INT64_MAX) return Value{static_cast<int64_t>(number)};
  if (number > 0 && number <= UINT64_MAX) return Value{static_cast<uint64_t>(number)};
  return std::nullopt;
}

Result<void> calculate(Value& field, const TransformOperation& operation) {
  if (!field.is_number()) {
    return wrong(operation, fmt::format("the field is {}, not a number", type_of(field)));
  }
  const bool adds = operation.op == Operator::increment;
  const auto a = integer_of(field);
  const auto b = integer_of(operation.value);
  if (a && b) {
    __int128 result = 0;
    const bool overflow = adds ? __builtin_add_overflow(*a, *b, &result) : __builtin_mul_overflow(*a, *b, &result);
    auto value = overflow ? std::nullopt : integer_value(result);
    if (!value) return wrong(operation, "the result does not fit 64 bits");
    field = *std::move(value);
    return {};
  }
  const double result =
      adds ? double_of(field) + double_of(operation.value) : double_of(field) * double_of(operation.value);
  if (!std::isfinite(result)) return wrong(operation, "the result is too large for a number");
  field = {result};
  return {};
}

// A missing field: the delta, or 0 of the factor's kind.
Value first_result(const TransformOperation& operation) {
  if (operation.op != Operator::multiply) return operation.value;
  if (operation.value.is_integer()) return {int64_t{0}};
  return {0.0};
}

Result<void> bound(Value& field, const TransformOperation& operation) {
  int order = 0;
  const auto* text = field.get_if<std::string>();
  const auto* other = operation.value.get_if<std::string>();
  if (field.is_number() && operation.value.is_number()) {
    order = compare_numbers(operation.value, field);
  } else if (text && other) {
    order = other->compare(*text);
  } else {
    return wrong(operation, fmt::format("the field is {} and the value {}: only two numbers or two strings compare",
                                        type_of(field), type_of(operation.value)));
  }
  if (operation.op == Operator::minimum ? order < 0 : order > 0) field = operation.value;
  return {};
}

Result<void> change_array(Value& field, const TransformOperation& operation, TransformContext& context) {
  auto* array = field.get_if<Array>();
  if (!array) return wrong(operation, fmt::format("the field is {}, not an array", type_of(field)));
  const auto is_equal = [&](const Value& item) { return deep_equal(item, operation.value, context.work); };
  switch (operation.op) {
    case Operator::push:
      array->push_back(operation.value);
      break;
    case Operator::add_to_set:
      if (std::ranges::none_of(*array, is_equal)) array->push_back(operation.value);
      break;
    case Operator::pull:
      std::erase_if(*array, is_equal);
      break;
    default:
      if (array->empty()) break;
      if (std::get<int64_t>(operation.value.data) == 1) {
        array->pop_back();
      } else {
        context.work += array->size();
        array->erase(array->begin());
      }
  }
  return {};
}

Result<void> rename_field(Value& document, const TransformOperation& operation, TransformContext& context) {
  Value* field = find(document, operation.path.segments(), context);
  if (!field) return {};
  // Other operations nest no deeper than their path and their value; this one could again and again.
  if (depth_of(*field, context.work) + operation.to.segments().size() > max_document_depth) {
    return wrong(operation, fmt::format("the document would be nested deeper than {} levels", max_document_depth));
  }
  Value moved = std::move(*field);
  remove(document, operation.path.segments(), context);
  bool made = false;
  ASSIGN_OR_RETURN(Value* const target, find_or_make(document, operation, operation.to.segments(), made, context));
  *target = std::move(moved);
  return {};
}

Result<void> set_field(Value& document, const TransformOperation& operation, Value value, TransformContext& context) {
  bool made = false;
  ASSIGN_OR_RETURN(Value* const field, find_or_make(document, operation, operation.path.segments(), made, context));
  *field = std::move(value);
  return {};
}

// $inc $mul $min $max
Result<void> change_number(Value& document, const TransformOperation& operation, TransformContext& context) {
  bool made = false;
  ASSIGN_OR_RETURN(Value* const field, find_or_make(document, operation, operation.path.segments(), made, context));
  if (made) {
    *field = first_result(operation);
    return {};
  }
  const bool calculates = operation.op == Operator::increment || operation.op == Operator::multiply;
  return calculates ? calculate(*field, operation) : bound(*field, operation);
}

// $push and $addToSet make an array where there is none, $pull and $pop leave it so.
Result<void> change_list(Value& document, const TransformOperation& operation, TransformContext& context) {
  if (operation.op == Operator::pull || operation.op == Operator::pop) {
    Value* field = find(document, operation.path.segments(), context);
    return field ? change_array(*field, operation, context) : Result<void>();
  }
  bool made = false;
  ASSIGN_OR_RETURN(Value* const field, find_or_make(document, operation, operation.path.segments(), made, context));
  if (made) field->data = Array();
  return change_array(*field, operation, context);
}

Result<void> check_value(const TransformOperation& operation) {
  const Value& value = operation.value;
  switch (operation.op) {
    case Operator::increment:
    case Operator::multiply:
      if (!value.is_number()) return wrong(operation, "the value must be a number");
      return {};
    case Operator::minimum:
    case Operator::maximum:
      if (!value.is_number() && !value.get_if<std::string>()) {
        return wrong(operation, "the value must be a number or a string");
      }
      return {};
    case Operator::pop: {
      const auto* end = value.get_if<int64_t>();
      if (!end || (*end != 1 && *end != -1)) {
        return wrong(operation, "the value must be 1 for the last element or -1 for the first");
      }
      return {};
    }
    case Operator::set:
      if (operation.path.is_root() && !value.get_if<Object>()) return wrong(operation, "a document must be an object");
      return {};
    default:
      return {};
  }
}

Result<void> check_rename(const TransformOperation& operation) {
  const auto from = operation.path.segments();
  const auto to = operation.to.segments();
  if (to.empty()) return wrong(operation, "the value must be the path of a field");
  const auto [at, other] = std::ranges::mismatch(from, to);
  if (at == from.end() || other == to.end()) {
    return wrong(operation, fmt::format("{} is the same field, holds it or lies inside it", operation.to.to_string()));
  }
  return {};
}

}  // namespace

Result<TransformOperation> make_transform_operation(std::string_view op, std::string_view path,
                                                    std::optional<BytesView> value) {
  const auto row = std::ranges::find(operators, op, &OperatorRow::name);
  if (row == operators.end()) return invalid(fmt::format("unknown operator {}", printable(op, 40)));
  TransformOperation operation{.op = row->op};
  auto parsed = DocumentPath::parse(path);
  if (!parsed.ok()) return invalid(fmt::format("{}: {}", op, parsed.error().message()));
  operation.path = *std::move(parsed);
  if (operation.path.is_root() && row->op != Operator::set) {
    return wrong(operation, "the path must name a field");
  }
  if (!row->needs_value) return operation;
  if (!value) return wrong(operation, "a value is required");
  auto parsed_value = parse_value(*value);
  if (!parsed_value.ok()) return wrong(operation, fmt::format("the value {}", parsed_value.error().message()));
  operation.value = *std::move(parsed_value);
  RETURN_IF_ERROR(check_value(operation));
  if (row->op != Operator::rename) return operation;
  const auto* to = operation.value.get_if<std::string>();
  if (!to) return wrong(operation, "the value must be the path of a field");
  auto target = DocumentPath::parse(*to);
  if (!target.ok()) return wrong(operation, target.error().message());
  operation.to = *std::move(target);
  RETURN_IF_ERROR(check_rename(operation));
  return operation;
}

Result<void> apply_transform(Value& document, const TransformOperation& operation, TransformContext& context) {
  STRATA_ASSERT(document.get_if<Object>() != nullptr);
  if (++context.work > max_transform_work) {
    return invalid("the transforms of the batch take too much work: send them in smaller batches");
  }
  switch (operation.op) {
    case Operator::set:
      return set_field(document, operation, operation.value, context);
    case Operator::unset:
      remove(document, operation.path.segments(), context);
      return {};
    case Operator::increment:
    case Operator::multiply:
    case Operator::minimum:
    case Operator::maximum:
      return change_number(document, operation, context);
    case Operator::push:
    case Operator::add_to_set:
    case Operator::pull:
    case Operator::pop:
      return change_list(document, operation, context);
    case Operator::current_date:
      return set_field(document, operation, {context.now}, context);
    case Operator::rename:
      return rename_field(document, operation, context);
  }
  return {};
}

}  // namespace strata::documents
