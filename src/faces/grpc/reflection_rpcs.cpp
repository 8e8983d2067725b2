// The standard reflection service: what methods and messages there are, for tools as grpcurl. As the OpenAPI document
// of the other door it asks for no key: it tells nothing of any data.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpc/reflection/v1/reflection.pb.h>

#include <set>

#include "faces/grpc/rpc.h"
#include "faces/grpc/status.h"

namespace strata::rpc {
namespace {

namespace v1 = ::grpc::reflection::v1;
using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

void fail(v1::ServerReflectionResponse& response, StatusCode code, const std::string& message) {
  response.mutable_error_response()->set_error_code(static_cast<int>(code));
  response.mutable_error_response()->set_error_message(message);
}

// With what it imports, each once: a client can build its types in one go.
void add_file(v1::FileDescriptorResponse& files, const FileDescriptor* file, std::set<const FileDescriptor*>& added) {
  if (!added.insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  proto.SerializeToString(files.add_file_descriptor_proto());
  for (int i = 0; i < file->dependency_count(); ++i) add_file(files, file->dependency(i), added);
}

void answer_file(v1::ServerReflectionResponse& response, const FileDescriptor* file, const std::string& name) {
  if (file == nullptr) return fail(response, StatusCode::not_found, "no such file or symbol: " + name);
  std::set<const FileDescriptor*> added;
  add_file(*response.mutable_file_descriptor_response(), file, added);
}

void answer_one(const Services& services, const v1::ServerReflectionRequest& request,
                v1::ServerReflectionResponse& response) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  using Request = v1::ServerReflectionRequest;
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      return answer_file(response, pool.FindFileByName(request.file_by_filename()), request.file_by_filename());
    case Request::kFileContainingSymbol:
      return answer_file(response, pool.FindFileContainingSymbol(request.file_containing_symbol()),
                         request.file_containing_symbol());
    case Request::kListServices:
      for (const std::string_view name : services.service_names) {
        response.mutable_list_services_response()->add_service()->set_name(std::string(name));
      }
      return;
    case Request::kAllExtensionNumbersOfType:
      if (pool.FindMessageTypeByName(request.all_extension_numbers_of_type()) != nullptr) {
        response.mutable_all_extension_numbers_response()->set_base_type_name(request.all_extension_numbers_of_type());
        return;
      }
      return fail(response, StatusCode::not_found, "no such type: " + request.all_extension_numbers_of_type());
    case Request::kFileContainingExtension:
      return fail(response, StatusCode::not_found, "nothing is extended here");
    case Request::MESSAGE_REQUEST_NOT_SET:
      return fail(response, StatusCode::invalid_argument, "the request asks for nothing");
  }
}

Result<void> reflect(Call& call) {
  v1::ServerReflectionRequest request;
  for (;;) {
    request.Clear();
    ASSIGN_OR_RETURN(const bool any, call.read(request));
    if (!any) return {};
    v1::ServerReflectionResponse response;
    response.set_valid_host(request.host());
    *response.mutable_original_request() = request;
    answer_one(call.services(), request, response);
    RETURN_IF_ERROR(call.write(response));
  }
}

// Tools ask for either version; the messages are the same.
const Rpc rows[] = {
    {.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
     .permission = Permission::none,
     .timeout_ms = -1,
     .long_lived = true,
     .handler = reflect},
    {.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     .permission = Permission::none,
     .timeout_ms = -1,
     .long_lived = true,
     .handler = reflect},
};

}  // namespace

std::span<const Rpc> reflection_rpcs() { return rows; }

}  // namespace strata::rpc
