// Vectors, metadata and filters between messages and the services' types.
//
// Purpose:       the one place that knows how the schema spells them.
// Ownership:     spans are of the message, the rest is copied.
// Thread safety: pure functions.
// Errors:        invalid_argument that names what is wrong.
#pragma once

#include <swarndb/v1/common.pb.h>

#include <span>

#include "base/result.h"
#include "faces/grpc/rpc.h"
#include "service/vector_types.h"

namespace swarndb::v1 {
class FilterExpression;
}

namespace strata::rpc {

inline std::span<const float> values_of(const swarndb::v1::Vector& vector) {
  return {vector.values().data(), static_cast<size_t>(vector.values().size())};
}

template <class Repeated>
auto span_of(const Repeated& repeated) {
  return std::span(repeated.data(), static_cast<size_t>(repeated.size()));
}

template <class Repeated, class Values>
void fill(Repeated& repeated, const Values& values) {
  repeated.Add(values.begin(), values.end());
}

Result<service::Metadata> metadata_of(const swarndb::v1::Metadata& message);
void fill_metadata(const service::Metadata& metadata, swarndb::v1::Metadata& message);

Result<service::VectorFilter> filter_of(const swarndb::v1::FilterExpression& message);

}  // namespace strata::rpc
