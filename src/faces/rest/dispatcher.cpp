#include "faces/rest/dispatcher.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>

#include "base/log.h"
#include "base/random.h"
#include "faces/rest/openapi.h"
#include "faces/rest/response_head.h"
#include "service/replica.h"

namespace strata::rest {
namespace {

constexpr size_t max_query_parameters = 256;
constexpr size_t max_request_id_bytes = 128;

void choose_request_id(std::string_view sent, Bytes& id) {
  const bool printable = std::ranges::all_of(sent, [](char c) { return c > 0x20 && c < 0x7F; });
  if (!sent.empty() && sent.size() <= max_request_id_bytes && printable) {
    id.assign(sent);
    return;
  }
  static constexpr char hex[] = "0123456789abcdef";
  // Unique, not secret: one draw from the kernel a thread, then a generator.
  thread_local Random random([] {
    const Bytes seed = secure_random_bytes(8);
    return read_be64(seed);
  }());
  uint64_t value = random.next();
  id.resize(16);
  for (char& c : id) {
    c = hex[value & 15];
    value >>= 4;
  }
}

// The body as the handler reads it: decompressed and counted.
class LimitedReader final : public BodyReader {
 public:
  LimitedReader(BodySource& source, std::unique_ptr<BodyDecoder> decoder, uint64_t limit_bytes)
      : source_(source), decoder_(std::move(decoder)), limit_bytes_(limit_bytes) {}

  Result<size_t> read(std::span<char> into) override {
    STRATA_ASSERT(!into.empty());
    if (failed_) return *failed_;
    Result<size_t> count = decoder_ ? read_decoded(into) : source_.read(into);
    if (count.ok() && (total_bytes_ += *count) > limit_bytes_) count = ErrorCode::payload_too_large;
    if (!count.ok()) failed_ = count.error();
    return count;
  }

 private:
  static constexpr size_t input_bytes = 16'384;

  Result<size_t> read_decoded(std::span<char> into) {
    for (;;) {
      ASSIGN_OR_RETURN(BodyDecoder::Step step, decoder_->decode(input_, into));
      input_.remove_prefix(step.consumed);
      if (step.produced > 0) return step.produced;
      if (step.consumed > 0) continue;
      if (ended_) {
        if (!decoder_->complete() || !input_.empty()) {
          return Error(ErrorCode::invalid_argument, "compressed request body is truncated");
        }
        return size_t{0};
      }
      RETURN_IF_ERROR(fill());
    }
  }

  Result<void> fill() {
    if (buffer_.empty()) buffer_.resize(input_bytes);
    // Empty blocks cost input and give no output: what comes in is bounded too, generously.
    if (input_total_bytes_ > 2 * limit_bytes_ + 65'536) return ErrorCode::payload_too_large;
    // A decoder takes what it is given unless the output is full; one that is stuck has met nonsense.
    if (!input_.empty()) return Error(ErrorCode::invalid_argument, "compressed request body is broken");
    ASSIGN_OR_RETURN(const size_t count, source_.read(buffer_));
    input_ = BytesView(buffer_).substr(0, count);
    input_total_bytes_ += count;
    ended_ = count == 0;
    return {};
  }

  BodySource& source_;
  std::unique_ptr<BodyDecoder> decoder_;
  const uint64_t limit_bytes_;
  uint64_t total_bytes_ = 0;
  uint64_t input_total_bytes_ = 0;
  Bytes buffer_;
  BytesView input_;
  bool ended_ = false;
  std::optional<Error> failed_;
};

}  // namespace

void Exchange::trim() {
  reader_.reset();
  if (body_.capacity() > 65'536) body_ = Bytes();
  if (decoded_.capacity() > 4'096) decoded_ = Bytes();
}

struct Dispatcher::Operation {
  std::string_view name;
  LatencyHistogram* latency = nullptr;
  std::array<std::atomic<Counter*>, status_slots> by_status{};
};

Dispatcher::Dispatcher(std::vector<std::span<const Route>> tables, Services& services, MetricsRegistry& metrics,
                       DispatcherOptions options)
    : services_(services), options_(std::move(options)), api_keys_(options_.api_keys), metrics_(metrics) {
  std::set<std::string_view> ids;
  auto add_operation = [&](std::string_view name) {
    STRATA_ASSERT(ids.insert(name).second);
    auto operation = std::make_unique<Operation>();
    operation->name = name;
    operation->latency = &metrics.histogram("strata_http_request_duration_seconds",
                                            "Time from the parsed head to the response, streamed bodies not included",
                                            {{"operation", name}});
    return operation;
  };
  for (std::span<const Route> table : tables) {
    for (const Route& route : table) {
      STRATA_ASSERT(route.handler != nullptr);
      routes_.push_back(&route);
      operations_.push_back(add_operation(route.operation));
    }
  }
  unmatched_ = add_operation("unmatched");
  malformed_ = add_operation("malformed");
  router_ = std::make_unique<Router>(routes_);
  openapi_ = openapi_document(routes_, options_.version);
  services_.openapi = &openapi_;
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::count(Operation& operation, int status) {
  std::atomic<Counter*>& slot = operation.by_status[status_slot(status)];
  Counter* counter = slot.load(std::memory_order_acquire);
  if (!counter) {
    // Series appear with their first request: a server with 200 operations does not show 9,000 zeros.
    const bool known = status_slot(status) != status_slots - 1;
    counter = &metrics_.counter("strata_http_requests_total", "Requests answered",
                                {{"operation", operation.name}, {"status", known ? std::to_string(status) : "other"}});
    slot.store(counter, std::memory_order_release);
  }
  counter->add();
}

Response Dispatcher::refuse(const Error& error) {
  Response response = error_response(error);
  response.header_lines += options_.header_lines;
  count(*malformed_, response.status);
  return response;
}

Response Dispatcher::dispatch(Exchange& exchange, BodySource& body) {
  const int64_t begin_us = services_.clock->steady_us();
  exchange.cancellation.clear();
  exchange.deadline_steady_us = 0;
  choose_request_id(exchange.head.request_id, exchange.request_id);
  Operation* operation = unmatched_.get();
  Response response = answer(exchange, body, operation);
  if (!response.stream) {
    // What the handler registered may refer to what died with it.
    exchange.cancellation.clear();
    exchange.deadline_steady_us = 0;
  }
  response.header_lines += options_.header_lines;
  operation->latency->observe_us(services_.clock->steady_us() - begin_us);
  count(*operation, response.status);
  return response;
}

Response Dispatcher::answer(Exchange& exchange, BodySource& body, Operation*& operation) {
  const std::string_view target = exchange.head.target;
  const size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  router_->match(exchange.head.method, path, exchange.match_);
  if (exchange.match_.route == Router::no_route) return without_route(exchange);
  const Route& route = *routes_[exchange.match_.route];
  operation = operations_[exchange.match_.route].get();

  const std::string_view query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  Result<Response> result = ErrorCode::internal;
  try {
    result = run(route, exchange, body, query);
  } catch (const std::exception& exception) {
    // Handlers return errors; what throws is a library (out of memory). One request fails, the server goes on.
    result = Error(ErrorCode::internal, std::string("internal error: ") + exception.what());
  }
  if (result.ok()) return std::move(result).value();
  Error error = std::move(result).error();
  if (error.code() == ErrorCode::operation_cancelled && exchange.deadline_steady_us != 0 &&
      services_.clock->steady_us() >= exchange.deadline_steady_us) {
    error = ErrorCode::timed_out;
  }
  if (http_status(error.code()) == 500) {
    log::error("operation failed", {{"operation", route.operation},
                                    {"error", error_name(error.code())},
                                    {"message", error.message()},
                                    {"request_id", exchange.request_id}});
  }
  return error_response(error, route.coded_errors);
}

Response Dispatcher::without_route(const Exchange& exchange) const {
  uint32_t allowed = exchange.match_.allowed;
  if (exchange.head.method == Method::options) {
    // Of the path, or of the server for "*".
    const bool server = exchange.head.target == "*";
    if (server) allowed = (1u << static_cast<unsigned>(Method::options)) - 1;
    if (allowed != 0) {
      Response response;
      response.status = 204;
      response.add_header("Allow", allow_header(allowed));
      return response;
    }
  }
  if (allowed == 0) return error_response({ErrorCode::not_found, "no such route"});
  Response response = error_response(ErrorCode::method_not_allowed);
  response.add_header("Allow", allow_header(allowed));
  return response;
}

Result<Caller> Dispatcher::authenticate(const RequestHead& head) const {
  if (api_keys_.empty()) return Caller{{}, Permission::admin};
  ASSIGN_OR_RETURN(const std::string_view name, api_keys_.check(head.api_key, head.authorization));
  return Caller{name, Permission::admin};
}

Result<Response> Dispatcher::run(const Route& route, Exchange& exchange, BodySource& body, std::string_view query) {
  Request& request = exchange.request_;
  request.caller_ = {};
  // Before anything of the request is looked at more closely: a stranger gets no work done.
  if (route.permission != Permission::none) {
    ASSIGN_OR_RETURN(request.caller_, authenticate(exchange.head));
    if (request.caller_.permission < route.permission) return ErrorCode::permission_denied;
  }
  const service::Replica* replica = services_.replica;
  if (replica && replica->is_read_only() && route.permission > Permission::read && !route.on_replica) {
    return Error(ErrorCode::permission_denied,
                 "this server is a replica, writes go to its leader: " + replica->leader_url());
  }
  request.method_ = exchange.head.method;
  request.target_ = exchange.head.target;
  request.headers_ = exchange.head.fields;
  request.id_ = exchange.request_id;
  request.cancellation_ = &exchange.cancellation;
  RETURN_IF_ERROR(decode_parameters(exchange, query));
  RETURN_IF_ERROR(prepare_body(route, exchange, body));

  // From the moment the request is complete: a slow upload has limits of its own.
  const int64_t timeout_ms = route.timeout_ms == 0 ? options_.request_timeout_ms : route.timeout_ms;
  exchange.deadline_steady_us = timeout_ms > 0 ? services_.clock->steady_us() + timeout_ms * 1'000 : 0;
  request.deadline_steady_us_ = exchange.deadline_steady_us;
  if (!replica || !replica->is_read_only()) return route.handler(services_, request);
  return run_on_replica(*replica, route, request);
}

// What is read is told how much of the leader it holds: asked before the handler reads, so never too much.
Result<Response> Dispatcher::run_on_replica(const service::Replica& replica, const Route& route, Request& request) {
  std::optional<service::ReplicaProgress::Position> position;
  for (const Parameter& parameter : request.params_) {
    if (parameter.name == "namespace") position = replica.position(parameter.value);
  }
  Result<Response> result = route.handler(services_, request);
  if (!position || (!result.ok() && http_status(result.error().code()) >= 500)) return result;
  Response response = result.ok() ? *std::move(result) : error_response(result.error(), route.coded_errors);
  response.add_header("X-Replica-Position",
                      std::to_string(position->position.segment) + ":" + std::to_string(position->position.offset));
  response.add_header("X-Replica-Lag-Ms", std::to_string(position->lag_us / 1'000));
  return response;
}

Result<void> Dispatcher::decode_parameters(Exchange& exchange, std::string_view query) const {
  Request& request = exchange.request_;
  const Router::Match& match = exchange.match_;
  request.params_.clear();
  request.query_.clear();
  // Decoding never makes longer, so with room for the whole target the views stay where they are.
  exchange.decoded_.clear();
  exchange.decoded_.reserve(exchange.head.target.size());
  auto decode = [&](std::string_view text, bool plus_is_space, BytesView& out) {
    if (text.find('%') == std::string_view::npos && (!plus_is_space || text.find('+') == std::string_view::npos)) {
      out = text;
      return true;
    }
    const size_t begin = exchange.decoded_.size();
    if (!percent_decode(text, plus_is_space, exchange.decoded_)) return false;
    out = BytesView(exchange.decoded_).substr(begin);
    return true;
  };
  for (size_t i = 0; i < match.param_count; ++i) {
    BytesView value;
    if (!decode(match.params[i].value, false, value)) {
      return Error(ErrorCode::invalid_argument, "invalid percent-encoding in the path");
    }
    request.params_.push_back({match.params[i].name, value});
  }
  while (!query.empty()) {
    const size_t ampersand = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, ampersand);
    query.remove_prefix(std::min(ampersand + 1, query.size()));
    if (pair.empty()) continue;
    if (request.query_.size() == max_query_parameters) {
      return Error(ErrorCode::invalid_argument, "too many query parameters");
    }
    const size_t equals = pair.find('=');
    Parameter parameter;
    const bool decoded = decode(pair.substr(0, equals), true, parameter.name) &&
                         (equals == std::string_view::npos || decode(pair.substr(equals + 1), true, parameter.value));
    if (!decoded) return Error(ErrorCode::invalid_argument, "invalid percent-encoding in the query");
    request.query_.push_back(parameter);
  }
  return {};
}

Result<void> Dispatcher::prepare_body(const Route& route, Exchange& exchange, BodySource& body) const {
  Request& request = exchange.request_;
  const RequestHead& head = exchange.head;
  request.body_ = {};
  request.body_reader_ = nullptr;
  request.content_length_ = std::nullopt;
  exchange.reader_.reset();
  ASSIGN_OR_RETURN(std::unique_ptr<BodyDecoder> decoder, make_body_decoder(head.content_encoding));
  // Before a byte of it is read (and before 100 Continue).
  if (!decoder && head.content_length.value_or(0) > route.body_limit_bytes) return ErrorCode::payload_too_large;
  if (!decoder && !head.chunked) request.content_length_ = head.content_length.value_or(0);
  if (route.body == BodyKind::none) return {};

  const bool whole = route.body != BodyKind::stream;
  if (whole && !decoder && !head.chunked) {
    if (std::optional<BytesView> in_memory = body.take_whole()) {
      request.body_ = *in_memory;
      return {};
    }
  }
  exchange.reader_ = std::make_unique<LimitedReader>(body, std::move(decoder), route.body_limit_bytes);
  if (whole) return read_whole(exchange, *exchange.reader_);
  request.body_reader_ = exchange.reader_.get();
  return {};
}

Result<void> Dispatcher::read_whole(Exchange& exchange, BodyReader& reader) const {
  // Grows with what has come, not with what Content-Length claims: 4,096 clients that announce 1 MiB and send nothing
  // hold 64 MB, not 4 GB.
  Bytes& bytes = exchange.body_;
  size_t size = 0;
  bytes.resize(16'384);
  for (;;) {
    if (bytes.size() - size <= Request::body_padding_bytes) bytes.resize(bytes.size() * 2);
    const std::span<char> room(bytes.data() + size, bytes.size() - size - Request::body_padding_bytes);
    ASSIGN_OR_RETURN(const size_t count, reader.read(room));
    if (count == 0) break;
    size += count;
  }
  exchange.request_.body_ = BytesView(bytes).substr(0, size);
  return {};
}

}  // namespace strata::rest
