// Searches of one collection: in this process, over gRPC and over REST. run.py starts the server and calls this:
//   bench_served load GRPC-PORT | grpc GRPC-PORT | rest HTTP-PORT | inside   [--vectors N] [--dimension D] [--seconds
//   S]
//                [--ef E] [--in-flight C]
// Prints one line: searches per second, and this process's CPU time per search in microseconds.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <netinet/tcp.h>
#include <swarndb/v1/collection.pb.h>
#include <swarndb/v1/search.pb.h>
#include <swarndb/v1/vector.pb.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <random>
#include <thread>

#include "engine/memory/memory_engine.h"
#include "service/vector_bulk.h"
#include "service/vectors.h"

namespace {

namespace v1 = swarndb::v1;
using Clock = std::chrono::steady_clock;

constexpr const char* collection_name = "served";
constexpr uint32_t results = 10;
constexpr size_t query_count = 1'000;

struct Options {
  size_t vectors = 20'000;
  uint32_t dimension = 768;
  double seconds = 5;
  uint32_t ef = 64;
  size_t in_flight = 8;
};

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "bench_served: {}\n", why);
  std::exit(1);
}

template <class T>
T value(strata::Result<T> result) {
  if (!result.ok()) fail(std::string(result.error().message()));
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

// Vectors around 200 centres in a space of 24 dimensions, turned into D: what embeddings look like more than noise
// does.
class Data {
 public:
  explicit Data(uint32_t dimension) : dimension_(dimension) {
    for (float& x : basis_) x = normal_(random_);
    for (float& x : centres_) x = 3 * normal_(random_);
  }
  // Of any stream of rows: the same number is the same vector.
  std::vector<float> row(size_t number) {
    random_.seed(number + 1);
    normal_.reset();
    const size_t centre = random_() % centres;
    std::vector<float> out(dimension_, 0.0f);
    for (size_t i = 0; i < inner; ++i) {
      const float x = centres_[centre * inner + i] + normal_(random_);
      for (uint32_t d = 0; d < dimension_; ++d) out[d] += x * basis_[i * dimension_ + d];
    }
    return out;
  }

 private:
  static constexpr size_t inner = 24;
  static constexpr size_t centres = 200;
  const uint32_t dimension_;
  std::mt19937_64 random_{7};
  std::normal_distribution<float> normal_;
  std::vector<float> basis_ = std::vector<float>(inner * dimension_);
  std::vector<float> centres_ = std::vector<float>(centres * inner);
};

std::vector<std::vector<float>> queries(const Options& options) {
  Data data(options.dimension);
  std::vector<std::vector<float>> out;
  for (size_t i = 0; i < query_count; ++i) out.push_back(data.row(1'000'000'000 + i));
  return out;
}

double cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e6 + time.tv_usec; };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

struct Measured {
  double rate = 0;
  double process_cpu_us = 0;  // a search
  double rate_of_cpu = 0;     // a second of the CPU of the threads that search
};

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Runs search(query number) on so many threads until the time is over.
template <class MakeSearch>
Measured search_for_a_while(const Options& options, size_t threads, MakeSearch make_search) {
  std::atomic<size_t> done{0};
  std::mutex mutex;
  double cpu_seconds = 0;
  std::vector<std::thread> running;
  const double cpu_before = cpu_us();
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration<double>(options.seconds);
  for (size_t t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      auto search = make_search(t);
      size_t mine = 0;
      const double before = thread_cpu_seconds();
      for (size_t i = t * 97; Clock::now() < end; ++i, ++mine) search(i % query_count);
      done += mine;
      std::lock_guard lock(mutex);
      cpu_seconds += thread_cpu_seconds() - before;
    });
  }
  for (std::thread& thread : running) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const auto count = static_cast<double>(done);
  return {count / seconds, (cpu_us() - cpu_before) / count, count / cpu_seconds};
}

template <class MakeSearch>
void measure(const Options& options, size_t threads, MakeSearch make_search) {
  const Measured measured = search_for_a_while(options, threads, make_search);
  fmt::print("{:.1f} {:.1f}\n", measured.rate, measured.process_cpu_us);
}

const strata::service::Context context;

void fill(strata::service::Vectors& vectors, const Options& options) {
  value(vectors.open());
  value(vectors.make_collection(context, {.name = collection_name, .dimension = options.dimension}));
  auto bulk = value(vectors.begin_bulk(context, collection_name, {.batch_rows = 256}));
  Data data(options.dimension);
  for (size_t i = 0; i < options.vectors; ++i) {
    const std::vector<float> row = data.row(i);
    if (!bulk->add(context, {.id = i + 1, .values = row})) fail("the bulk insert ended early");
  }
  value(bulk->finish(context));
  value(vectors.optimize(context, collection_name));
}

void inside(const Options& options) {
  strata::kv::Database database(std::make_shared<strata::kv::MemoryEngine>());
  strata::service::Vectors vectors(database, {});
  fill(vectors, options);
  const auto all = queries(options);
  measure(options, std::max(1u, std::thread::hardware_concurrency()), [&](size_t) {
    return [&](size_t query) {
      value(vectors.search(
          context, {.collection = collection_name, .query = all[query], .k = results, .ef_search = options.ef}));
    };
  });
  vectors.stop();
}

// Searches alone and beside a bulk insert at full speed, by turns: what the collection grows by counts for both.
void inserting(const Options& options) {
  strata::kv::Database database(std::make_shared<strata::kv::MemoryEngine>());
  strata::service::Vectors vectors(database, {});
  fill(vectors, options);
  const auto all = queries(options);
  for (const size_t threads : {1, 2}) {
    const auto search = [&] {
      return search_for_a_while(options, threads, [&](size_t) {
        return [&](size_t query) {
          value(vectors.search(
              context, {.collection = collection_name, .query = all[query], .k = results, .ef_search = options.ef}));
        };
      });
    };
    Measured before = search();
    for (int round = 0; round < 5; ++round) {
      std::atomic<bool> stop{false};
      size_t inserted = 0;
      std::thread writer([&] {
        auto bulk = value(vectors.begin_bulk(context, collection_name, {.batch_rows = 256}));
        std::vector<float> row;
        for (; !stop; ++inserted) {
          row = all[inserted % query_count];
          for (float& number : row) number += static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX);
          if (!bulk->add(context, {.values = row})) fail("the bulk insert ended early");
        }
        value(bulk->finish(context));
      });
      const Measured beside = search();
      stop = true;
      writer.join();
      const Measured after = search();
      fmt::print("{} threads: {:.0f}/s alone, {:.0f}/s inserted, {:.2f} kept, {:.2f} a second of their CPU\n", threads,
                 before.rate, static_cast<double>(inserted) / options.seconds,
                 2 * beside.rate / (before.rate + after.rate),
                 2 * beside.rate_of_cpu / (before.rate_of_cpu + after.rate_of_cpu));
      before = after;
    }
  }
  vectors.stop();
}

grpc::ByteBuffer buffer_of(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

std::shared_ptr<grpc::Channel> channel(int port, int number) {
  grpc::ChannelArguments arguments;
  arguments.SetInt("bench.channel", number);  // else all share one connection
  return grpc::CreateCustomChannel(fmt::format("127.0.0.1:{}", port), grpc::InsecureChannelCredentials(), arguments);
}

struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer answer;
  grpc::Status status;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::GenericStub* stub = nullptr;
};

void begin(Call* call, const std::string& method, const grpc::ByteBuffer& request, grpc::CompletionQueue& queue) {
  call->reader = call->stub->PrepareUnaryCall(&call->context, method, request, &queue);
  call->reader->StartCall();
  call->reader->Finish(&call->answer, &call->status, call);
}

Call* wait(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  Call* call = static_cast<Call*>(tag);
  if (!call->status.ok()) fail(call->status.error_message());
  return call;
}

void over_grpc(const Options& options, int port) {
  std::vector<grpc::ByteBuffer> requests;
  for (const std::vector<float>& query : queries(options)) {
    v1::SearchRequest request;
    request.set_collection(collection_name);
    request.mutable_query()->mutable_values()->Add(query.begin(), query.end());
    request.set_k(results);
    request.set_ef_search(options.ef);
    requests.push_back(buffer_of(request));
  }
  // One thread keeps so many calls in flight.
  measure(options, 1, [&](size_t) {
    auto queue = std::make_shared<grpc::CompletionQueue>();
    auto stubs = std::make_shared<std::vector<std::unique_ptr<grpc::GenericStub>>>();
    for (int i = 0; i < 2; ++i) stubs->push_back(std::make_unique<grpc::GenericStub>(channel(port, i)));
    const auto start = [&requests, queue](grpc::GenericStub* stub, size_t query) {
      Call* call = new Call;
      call->stub = stub;
      begin(call, "/swarndb.v1.SearchService/Search", requests[query], *queue);
    };
    for (size_t i = 0; i < options.in_flight; ++i) start((*stubs)[i % stubs->size()].get(), i);
    return [queue, stubs, start](size_t query) {
      const std::unique_ptr<Call> call(wait(*queue));
      start(call->stub, query);
    };
  });
  // The calls that are still out end with the process.
  std::fflush(stdout);
  std::_Exit(0);
}

void load(const Options& options, int port) {
  grpc::GenericStub stub(channel(port, 0));
  grpc::CompletionQueue queue;
  const auto call = [&](const std::string& method, const google::protobuf::MessageLite& message) {
    Call* one = new Call;
    one->stub = &stub;
    const grpc::ByteBuffer request = buffer_of(message);
    begin(one, method, request, queue);
    delete wait(queue);
  };
  v1::CreateCollectionRequest collection;
  collection.set_name(collection_name);
  collection.set_dimension(options.dimension);
  call("/swarndb.v1.CollectionService/CreateCollection", collection);
  const auto begun = Clock::now();
  grpc::ClientContext context;
  void* tag = nullptr;
  bool ok = false;
  auto stream = stub.PrepareCall(&context, "/swarndb.v1.VectorService/BulkInsert", &queue);
  stream->StartCall(nullptr);
  queue.Next(&tag, &ok);
  Data data(options.dimension);
  for (size_t i = 0; i < options.vectors; ++i) {
    v1::InsertRequest row;
    row.set_collection(collection_name);
    row.set_id(i + 1);
    const std::vector<float> values = data.row(i);
    row.mutable_vector()->mutable_values()->Add(values.begin(), values.end());
    stream->Write(buffer_of(row), nullptr);
    queue.Next(&tag, &ok);
    if (!ok) fail("the bulk insert ended early");
  }
  stream->WritesDone(nullptr);
  queue.Next(&tag, &ok);
  grpc::ByteBuffer answer;
  stream->Read(&answer, nullptr);
  queue.Next(&tag, &ok);
  grpc::Status status;
  stream->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  if (!status.ok()) fail(status.error_message());
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  v1::OptimizeRequest optimize;
  optimize.set_collection(collection_name);
  call("/swarndb.v1.VectorService/Optimize", optimize);
  fmt::print("{:.1f} 0\n", static_cast<double>(options.vectors) / seconds);
}

// One connection that keeps alive.
class RestClient {
 public:
  explicit RestClient(int port) {
    descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail("cannot connect");
    const int on = 1;
    setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  void ask(const std::string& request) {
    if (::write(descriptor_, request.data(), request.size()) != static_cast<ssize_t>(request.size()))
      fail("cannot send");
    input_.clear();
    size_t wanted = SIZE_MAX;
    while (input_.size() < wanted) {
      char bytes[16'384];
      const ssize_t count = ::read(descriptor_, bytes, sizeof(bytes));
      if (count <= 0) fail("the connection ended");
      input_.append(bytes, static_cast<size_t>(count));
      const size_t head = input_.find("\r\n\r\n");
      if (wanted != SIZE_MAX || head == std::string::npos) continue;
      if (!input_.starts_with("HTTP/1.1 200")) fail(input_);
      const size_t length = input_.find("Content-Length: ");
      wanted = head + 4 + static_cast<size_t>(std::strtoull(input_.c_str() + length + 16, nullptr, 10));
    }
  }

 private:
  int descriptor_ = -1;
  std::string input_;
};

void over_rest(const Options& options, int port) {
  std::vector<std::string> requests;
  for (const std::vector<float>& query : queries(options)) {
    const std::string body =
        fmt::format(R"({{"query":[{}],"k":{},"ef_search":{}}})", fmt::join(query, ","), results, options.ef);
    requests.push_back(
        fmt::format("POST /api/v1/collections/{}/search HTTP/1.1\r\nHost: a\r\nContent-Type: "
                    "application/json\r\nContent-Length: {}\r\n\r\n{}",
                    collection_name, body.size(), body));
  }
  measure(options, options.in_flight, [&](size_t) {
    return [&, client = std::make_shared<RestClient>(port)](size_t query) { client->ask(requests[query]); };
  });
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 0; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    const double number = std::strtod(arguments[i + 1], nullptr);
    if (name == "--vectors")
      options.vectors = static_cast<size_t>(number);
    else if (name == "--dimension")
      options.dimension = static_cast<uint32_t>(number);
    else if (name == "--seconds")
      options.seconds = number;
    else if (name == "--ef")
      options.ef = static_cast<uint32_t>(number);
    else if (name == "--in-flight")
      options.in_flight = static_cast<size_t>(number);
    else
      fail(fmt::format("unknown option {}", name));
  }
  return options;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view mode = count > 1 ? arguments[1] : "";
  if (mode == "inside") {
    inside(parse(count - 2, arguments + 2));
    return 0;
  }
  if (mode == "inserting") {
    inserting(parse(count - 2, arguments + 2));
    return 0;
  }
  if (count < 3) fail("inside, inserting, load, grpc or rest; run.py calls all but the second");
  const int port = std::atoi(arguments[2]);
  const Options options = parse(count - 3, arguments + 3);
  if (mode == "load")
    load(options, port);
  else if (mode == "grpc")
    over_grpc(options, port);
  else if (mode == "rest")
    over_rest(options, port);
  else
    fail("load, grpc or rest");
  return 0;
}
