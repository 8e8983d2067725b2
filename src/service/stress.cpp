#include "service/stress.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "base/percent.h"
#include "base/random.h"
#include "blobs/outgoing_request.h"

namespace strata::service {
namespace {

constexpr size_t most_threads = 4;
constexpr size_t most_files_to_read = 100;
constexpr int64_t connect_timeout_ms = 5'000;
constexpr int64_t idle_timeout_ms = 30'000;
// As large as a chunk of a file is: each gets its own number, so that no two chunks are the same.
constexpr size_t stamp_distance = 256u << 10;
constexpr int64_t progress_us = 500'000;
constexpr size_t error_bytes = 300;

// What all workers share.
struct Run {
  const StressOptions& options;
  const Bytes content;
  const uint64_t id;  // of this run: names and contents of several differ
  const size_t files_to_read;
  const StopFlag& stop;
  curl_slist* headers = nullptr;
  int64_t end_us = 0;
  std::atomic<uint64_t> operations{0};
  std::atomic<uint64_t> errors{0};
};

Bytes random_content(size_t size) {
  Random random(size + 1);
  Bytes bytes(size, '\0');
  for (size_t at = 0; at < size; at += 8) {
    const uint64_t word = random.next();
    std::memcpy(bytes.data() + at, &word, std::min<size_t>(8, size - at));
  }
  return bytes;
}

// A connection and the request on it.
class Worker {
 public:
  Worker(Run& run, size_t number) : run_(run), number_(number), random_(run.id + number), easy_(curl_easy_init()) {
    STRATA_ASSERT(easy_ != nullptr);
    base_ = run.options.target;
    if (base_.ends_with('/')) base_.pop_back();
    base_ += "/engine";
    append_percent_encoded(base_, run.options.path_prefix, true);
    blobs::set_common_options(easy_, "", connect_timeout_ms);
    blobs::set_idle_timeout(easy_, idle_timeout_ms);
    curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_);
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, run.headers);
    curl_easy_setopt(easy_, CURLOPT_READFUNCTION, &Worker::on_send);
    curl_easy_setopt(easy_, CURLOPT_READDATA, this);
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Worker::on_body);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  }
  ~Worker() { curl_easy_cleanup(easy_); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  CURL* easy() const { return easy_; }
  std::string url_to_read(size_t file) const { return fmt::format("{}/read-{}", base_, file); }

  void begin_next() {
    const StressOperation operation = run_.options.operation;
    const bool reads = operation == StressOperation::read || (operation == StressOperation::mixed && random_.one_in(2));
    if (reads) {
      begin_read(url_to_read(random_.below(run_.files_to_read)));
    } else {
      begin_write(fmt::format("{}/{:x}-{}-{}", base_, run_.id, number_, ++written_));
    }
  }
  void begin_write(const std::string& url) {
    is_read_ = false;
    curl_easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(run_.content.size()));
    stamp_ = random_.next();
    begin(url);
  }

  // Counts what came of it.
  void end(CURLcode code, StressResult& result) {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    const bool is_whole = !is_read_ || received_ == run_.content.size();
    if (code == CURLE_OK && status >= 200 && status < 300 && is_whole) {
      result.latencies.add(system_clock().steady_us() - begun_us_);
      ++(is_read_ ? result.reads : result.writes);
      result.bytes += run_.content.size();
      run_.operations.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    ++result.errors;
    run_.errors.fetch_add(1, std::memory_order_relaxed);
    if (code != CURLE_OK) {
      result.last_error = *error_text_ != '\0' ? error_text_ : curl_easy_strerror(code);
    } else if (status >= 200 && status < 300) {
      result.last_error = fmt::format("a file of {} bytes came back with {}", run_.content.size(), received_);
    } else {
      result.last_error = fmt::format("status {}: {}", status, printable(answer_, error_bytes));
    }
  }

 private:
  void begin_read(const std::string& url) {
    is_read_ = true;
    curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
    begin(url);
  }
  void begin(const std::string& url) {
    curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
    sent_ = 0;
    received_ = 0;
    answer_.clear();
    *error_text_ = '\0';
    begun_us_ = system_clock().steady_us();
  }

  static size_t on_send(char* data, size_t size, size_t count, void* argument) {
    auto* self = static_cast<Worker*>(argument);
    const Bytes& content = self->run_.content;
    // Pieces end where the next number goes.
    const size_t until = std::min(content.size(), (self->sent_ / stamp_distance + 1) * stamp_distance);
    const size_t step = std::min(size * count, until - self->sent_);
    std::memcpy(data, content.data() + self->sent_, step);
    if (self->sent_ % stamp_distance == 0) {
      std::memcpy(data, &self->stamp_, std::min(step, sizeof self->stamp_));
      ++self->stamp_;
    }
    self->sent_ += step;
    return step;
  }
  static size_t on_body(char* data, size_t, size_t size, void* argument) {
    auto* self = static_cast<Worker*>(argument);
    self->received_ += size;
    if (self->answer_.size() < error_bytes) self->answer_.append(data, std::min(size, error_bytes));
    return size;
  }

  Run& run_;
  const size_t number_;
  Random random_;
  CURL* const easy_;
  std::string base_;
  uint64_t written_ = 0;
  bool is_read_ = false;
  uint64_t stamp_ = 0;
  size_t sent_ = 0;
  size_t received_ = 0;
  Bytes answer_;
  int64_t begun_us_ = 0;
  char error_text_[CURL_ERROR_SIZE] = {};
};

// False: there is nothing more to do.
using BeginNext = std::function<bool(Worker&)>;

// Some of the workers, on one thread. Where it is stopped, what is under way is dropped.
StressResult run_workers(Run& run, size_t first, size_t count, const BeginNext& begin_next) {
  StressResult result;
  CURLM* const multi = curl_multi_init();
  STRATA_ASSERT(multi != nullptr);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(count));
  std::vector<std::unique_ptr<Worker>> workers;
  for (size_t i = 0; i < count; ++i) {
    auto worker = std::make_unique<Worker>(run, first + i);
    if (!begin_next(*worker)) break;
    curl_multi_add_handle(multi, worker->easy());
    workers.push_back(std::move(worker));
  }
  for (size_t active = workers.size(); active > 0 && !run.stop.is_set();) {
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    size_t ended = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const easy = message->easy_handle;
      const CURLcode code = message->data.result;
      char* owner = nullptr;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
      auto* const worker = reinterpret_cast<Worker*>(owner);
      worker->end(code, result);
      curl_multi_remove_handle(multi, easy);
      ++ended;
      // A server that is gone would be asked as fast as the machine can.
      const bool is_gone = code == CURLE_COULDNT_CONNECT;
      if (is_gone || !begin_next(*worker)) {
        --active;
        continue;
      }
      curl_multi_add_handle(multi, easy);
    }
    if (ended == 0 && active > 0) curl_multi_poll(multi, nullptr, 0, 100, nullptr);
  }
  for (const auto& worker : workers) curl_multi_remove_handle(multi, worker->easy());
  workers.clear();
  curl_multi_cleanup(multi);
  return result;
}

// What reads will ask for.
Result<void> put_files_to_read(Run& run) {
  size_t file = 0;
  const StressResult result = run_workers(run, run.options.concurrency, 1, [&](Worker& worker) {
    if (run.errors > 0 || file == run.files_to_read) return false;
    worker.begin_write(worker.url_to_read(file++));
    return true;
  });
  if (result.errors > 0) {
    return Error(ErrorCode::unavailable, "the files to read could not be put: " + result.last_error);
  }
  run.operations = 0;
  return {};
}

void add_result(StressResult& sum, const StressResult& part) {
  sum.reads += part.reads;
  sum.writes += part.writes;
  sum.errors += part.errors;
  sum.bytes += part.bytes;
  sum.latencies.add(part.latencies);
  if (!part.last_error.empty()) sum.last_error = part.last_error;
}

StressResult run_threads(Run& run, const std::function<void(const StressProgress&)>& on_progress) {
  const size_t concurrency = run.options.concurrency;
  const size_t threads =
      std::min({concurrency, most_threads, std::max<size_t>(std::thread::hardware_concurrency(), 1)});
  StressResult sum;
  std::mutex mutex;
  std::condition_variable changed;
  size_t ended = 0;
  std::vector<std::thread> running;
  const int64_t begun_us = system_clock().steady_us();
  run.end_us = begun_us + run.options.duration_ms * 1'000;
  for (size_t i = 0; i < threads; ++i) {
    const size_t first = concurrency * i / threads;
    running.emplace_back([&, first, count = concurrency * (i + 1) / threads - first] {
      const StressResult part = run_workers(run, first, count, [&run](Worker& worker) {
        if (system_clock().steady_us() >= run.end_us) return false;
        worker.begin_next();
        return true;
      });
      std::lock_guard lock(mutex);
      add_result(sum, part);
      ++ended;
      changed.notify_one();
    });
  }
  {
    std::unique_lock lock(mutex);
    while (!changed.wait_for(lock, std::chrono::microseconds(progress_us), [&] { return ended == threads; })) {
      lock.unlock();
      on_progress({.elapsed_us = system_clock().steady_us() - begun_us,
                   .operations = run.operations.load(),
                   .errors = run.errors.load()});
      lock.lock();
    }
  }
  for (std::thread& thread : running) thread.join();
  sum.elapsed_us = system_clock().steady_us() - begun_us;
  return sum;
}

}  // namespace

void LatencyHistogram::add(int64_t us) {
  const auto value = static_cast<uint64_t>(std::max<int64_t>(us, 0));
  // Below 32 each has its own; from there on an octave has 32 steps.
  const size_t octave = value < steps ? 0 : static_cast<size_t>(std::bit_width(value)) - 5;
  const size_t index = octave == 0 ? value : octave * steps + ((value >> (octave - 1)) - steps);
  ++counts_[std::min(index, counts_.size() - 1)];
  ++count_;
  max_us_ = std::max(max_us_, us);
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_us_ = std::max(max_us_, other.max_us_);
}

int64_t LatencyHistogram::percentile_us(double fraction) const {
  const auto rank = static_cast<uint64_t>(fraction * static_cast<double>(count_) + 0.999999);
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen < rank || counts_[i] == 0) continue;
    const size_t octave = i / steps;
    const uint64_t above = octave == 0 ? i : ((i % steps + steps + 1) << (octave - 1)) - 1;
    return std::min(static_cast<int64_t>(above), max_us_);
  }
  return max_us_;
}

Result<StressResult> run_stress(const StressOptions& options,
                                const std::function<void(const StressProgress&)>& on_progress, const StopFlag& stop) {
  STRATA_ASSERT(options.concurrency > 0 && (options.path_prefix.empty() || options.path_prefix.starts_with('/')));
  blobs::initialize_requests();
  Run run{.options = options,
          .content = random_content(options.file_bytes),
          .id = static_cast<uint64_t>(system_clock().wall_us()),
          .files_to_read = std::min(most_files_to_read, std::max<size_t>((64u << 20) / (options.file_bytes + 1), 1)),
          .stop = stop};
  // Asking first whether a body is welcome costs a round trip.
  run.headers = curl_slist_append(run.headers, "Expect:");
  run.headers = curl_slist_append(run.headers, "Content-Type: application/octet-stream");
  if (!options.api_key.empty()) {
    run.headers = curl_slist_append(run.headers, ("Authorization: Bearer " + options.api_key).c_str());
  }
  Result<void> ready;
  if (options.operation != StressOperation::write) ready = put_files_to_read(run);
  Result<StressResult> result = ready.ok() ? Result<StressResult>(run_threads(run, on_progress)) : ready.error();
  curl_slist_free_all(run.headers);
  return result;
}

}  // namespace strata::service
