// Bytes from the network to operations: parser, router, parameters, body decoding, JSON and the records handlers over
// the memory engine, without sockets. Two shapes of input:
//   the bytes of a connection, any number of requests;
//   "!" + request line + "\n" + body: the head is written around them, so that mutations reach behind the framing.
// Checked besides the sanitizers: every answer has a status of the server's list, and every JSON body is JSON.
#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "base/log.h"
#include "engine/memory/memory_engine.h"
#include "faces/rest/in_process.h"
#include "faces/rest/records_routes.h"
#include "faces/rest/response_head.h"
#include "faces/rest/system_routes.h"
#include "kv/database.h"
#include "service/records.h"

using namespace strata;
using namespace strata::rest;

namespace {

// The routes, built once: they hold no state of a request.
struct Face {
  Face() {
    log::configure(log::Format::pretty, log::Level::off);
    status.set_started();
    services.metrics = &metrics;
    services.system = &status;
    dispatcher = std::make_unique<Dispatcher>(std::vector<std::span<const Route>>{system_routes(), records_routes()},
                                              services, metrics, DispatcherOptions{});
  }

  MetricsRegistry metrics;
  SystemStatus status{"0.1.0"};
  Services services;
  std::unique_ptr<Dispatcher> dispatcher;
};

// A store for each input, so that a crash is replayed by its input alone.
struct Store {
  Store() : database(std::make_shared<kv::MemoryEngine>()), records(database, {}) {
    STRATA_ASSERT(records.open({}).ok());
  }

  kv::Database database;
  service::Records records;
};

Bytes to_connection(BytesView input) {
  if (!input.starts_with('!')) return Bytes(input);
  input.remove_prefix(1);
  const size_t newline = std::min(input.find('\n'), input.size());
  const BytesView body = input.substr(std::min(newline + 1, input.size()));
  return Bytes(input.substr(0, newline)) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + Bytes(body);
}

void check(const InProcess::Answer& answer) {
  STRATA_ASSERT(status_slot(answer.response.status) != status_slots - 1);
  STRATA_ASSERT(answer.response.header_lines.empty() || answer.response.header_lines.ends_with("\r\n"));
  if (answer.body.empty() || answer.response.content_type != json_type) return;
  simdjson::dom::parser parser;
  STRATA_ASSERT(parser.parse(answer.body).error() == simdjson::SUCCESS);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Face face;
  Store store;
  face.services.records = &store.records;
  InProcess client(*face.dispatcher);
  for (const InProcess::Answer& answer : client.send(to_connection({reinterpret_cast<const char*>(data), size}))) {
    check(answer);
  }
  return 0;
}
