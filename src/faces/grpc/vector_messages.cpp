#include "faces/grpc/vector_messages.h"

#include <swarndb/v1/search.pb.h>

namespace strata::rpc {
namespace {

using service::MetadataValue;
using service::VectorFilter;
using vectors::FilterKind;
using vectors::FilterOperator;
namespace v1 = swarndb::v1;

Error wrong(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Result<MetadataValue> value_of(const v1::MetadataValue& message, const std::string& field) {
  switch (message.value_case()) {
    case v1::MetadataValue::kStringValue:
      return MetadataValue(message.string_value());
    case v1::MetadataValue::kIntValue:
      return MetadataValue(int64_t{message.int_value()});
    case v1::MetadataValue::kFloatValue:
      return MetadataValue(message.float_value());
    case v1::MetadataValue::kBoolValue:
      return MetadataValue(message.bool_value());
    case v1::MetadataValue::kStringListValue: {
      const auto& values = message.string_list_value().values();
      return MetadataValue(vectors::StringList(values.begin(), values.end()));
    }
    case v1::MetadataValue::VALUE_NOT_SET:
      break;
  }
  return wrong("the field '" + field + "' has no value");
}

struct FillValue {
  v1::MetadataValue& message;
  void operator()(const std::string& value) const { message.set_string_value(value); }
  void operator()(int64_t value) const { message.set_int_value(value); }
  void operator()(double value) const { message.set_float_value(value); }
  void operator()(bool value) const { message.set_bool_value(value); }
  void operator()(const vectors::StringList& values) const {
    auto& list = *message.mutable_string_list_value()->mutable_values();
    list.Add(values.begin(), values.end());
  }
};

Result<VectorFilter> field_filter(const v1::FieldFilter& message) {
  const std::optional<FilterOperator> op = vectors::filter_operator(message.op());
  if (!op) return wrong("unknown filter operator '" + message.op() + "'");
  VectorFilter filter{.kind = FilterKind::field, .field = message.field(), .op = *op};
  if (*op == FilterOperator::exists) return filter;
  const bool several = *op == FilterOperator::in || *op == FilterOperator::between;
  if (message.has_value() && (!several || message.values().empty())) {
    ASSIGN_OR_RETURN(MetadataValue value, value_of(message.value(), message.field()));
    filter.values.push_back(std::move(value));
    return filter;
  }
  if (static_cast<size_t>(message.values().size()) > vectors::max_filter_values) {
    return wrong("a filter has at most " + std::to_string(vectors::max_filter_values) + " values");
  }
  for (const v1::MetadataValue& one : message.values()) {
    ASSIGN_OR_RETURN(MetadataValue value, value_of(one, message.field()));
    filter.values.push_back(std::move(value));
  }
  return filter;
}

Result<VectorFilter> expression(const v1::FilterExpression& message, size_t depth, size_t& nodes);

Result<VectorFilter> several(FilterKind kind, const google::protobuf::RepeatedPtrField<v1::FilterExpression>& messages,
                             size_t depth, size_t& nodes) {
  VectorFilter filter{.kind = kind};
  for (const v1::FilterExpression& message : messages) {
    ASSIGN_OR_RETURN(VectorFilter child, expression(message, depth + 1, nodes));
    filter.children.push_back(std::move(child));
  }
  return filter;
}

Result<VectorFilter> expression(const v1::FilterExpression& message, size_t depth, size_t& nodes) {
  if (depth > vectors::max_filter_depth) return wrong("the filter is too deep");
  if (++nodes > vectors::max_filter_nodes) return wrong("the filter has too many parts");
  switch (message.filter_case()) {
    case v1::FilterExpression::kAnd:
      return several(FilterKind::all, message.and_().filters(), depth, nodes);
    case v1::FilterExpression::kOr:
      return several(FilterKind::any, message.or_().filters(), depth, nodes);
    case v1::FilterExpression::kNot: {
      VectorFilter filter{.kind = FilterKind::negation};
      ASSIGN_OR_RETURN(VectorFilter child, expression(message.not_().filter(), depth + 1, nodes));
      filter.children.push_back(std::move(child));
      return filter;
    }
    case v1::FilterExpression::kField:
      return field_filter(message.field());
    case v1::FilterExpression::FILTER_NOT_SET:
      break;
  }
  return wrong("a part of the filter is empty: it is one of and, or, not and field");
}

}  // namespace

Result<service::Metadata> metadata_of(const v1::Metadata& message) {
  service::Metadata metadata;
  metadata.reserve(message.fields().size());
  for (const auto& [name, value] : message.fields()) {
    ASSIGN_OR_RETURN(MetadataValue converted, value_of(value, name));
    metadata.push_back({name, std::move(converted)});
  }
  return metadata;
}

void fill_metadata(const service::Metadata& metadata, v1::Metadata& message) {
  auto& fields = *message.mutable_fields();
  for (const service::MetadataField& field : metadata) std::visit(FillValue{fields[field.name]}, field.value);
}

Result<VectorFilter> filter_of(const v1::FilterExpression& message) {
  size_t nodes = 0;
  return expression(message, 1, nodes);
}

}  // namespace strata::rpc
