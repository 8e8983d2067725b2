#include "service/leader_client.h"

#include <curl/curl.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "blobs/outgoing_request.h"
#include "service/leader_transfer.h"

namespace strata::service {
namespace {

using SteadyClock = std::chrono::steady_clock;

Error error_of_transfer(CURLcode code, const char* detail) {
  if (code == CURLE_OPERATION_TIMEDOUT) return Error(ErrorCode::timed_out, "the leader did not answer in time");
  return Error(ErrorCode::unavailable, *detail != '\0' ? detail : curl_easy_strerror(code));
}

// A transfer while the client's thread moves it.
struct RunningTransfer {
  std::shared_ptr<LeaderTransfer> transfer;
  CURL* easy = nullptr;
  SteadyClock::time_point begun;
  char error_text[CURL_ERROR_SIZE] = {};
};

size_t on_body(char* data, size_t, size_t size, void* argument) {
  switch (static_cast<RunningTransfer*>(argument)->transfer->take_bytes(BytesView(data, size))) {
    case LeaderTransfer::Taken::all:
      return size;
    case LeaderTransfer::Taken::later:
      return CURL_WRITEFUNC_PAUSE;
    case LeaderTransfer::Taken::never:
      break;
  }
  return CURL_WRITEFUNC_ERROR;
}

size_t on_header(char* data, size_t, size_t size, void* argument) {
  auto* running = static_cast<RunningTransfer*>(argument);
  long status = 0;
  curl_easy_getinfo(running->easy, CURLINFO_RESPONSE_CODE, &status);
  running->transfer->take_header(BytesView(data, size), static_cast<int>(status));
  return size;
}

}  // namespace

// Owns the thread on which all transfers move.
class LeaderClient::Impl {
 public:
  explicit Impl(const LeaderClientOptions& options) : options_(options), multi_(curl_multi_init()) {
    STRATA_ASSERT(multi_ != nullptr);
    if (!options_.api_key.empty()) headers_ = curl_slist_append(headers_, ("X-API-Key: " + options_.api_key).c_str());
    thread_ = std::thread([this] { loop(); });
  }
  ~Impl() {
    stop();
    thread_.join();
    wake_->forget();
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }

  std::shared_ptr<LeaderTransfer> start(std::string_view target, Silence silence, int64_t whole_within_ms = 0) {
    auto transfer = std::make_shared<LeaderTransfer>(std::string(target), silence, whole_within_ms,
                                                     options_.buffer_bytes, [wake = wake_] { wake->now(); });
    {
      std::lock_guard lock(mutex_);
      if (!stopped_) {
        waiting_.push_back(transfer);
        wake_->now();
        return transfer;
      }
    }
    transfer->cancel();
    return transfer;
  }

  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_->now();
  }

  const LeaderClientOptions& options() const { return options_; }

 private:
  // Shared with transfers, which may outlive the client.
  class Wake {
   public:
    explicit Wake(CURLM* multi) : multi_(multi) {}
    void now() {
      std::lock_guard lock(mutex_);
      if (multi_) curl_multi_wakeup(multi_);
    }
    void forget() {
      std::lock_guard lock(mutex_);
      multi_ = nullptr;
    }

   private:
    std::mutex mutex_;
    CURLM* multi_;
  };

  void loop() {
    bool ending = false;
    while (!ending) {
      ending = begin_waiting();
      attend_to_running();
      int active = 0;
      curl_multi_perform(multi_, &active);
      take_finished();
      if (!ending) curl_multi_poll(multi_, nullptr, 0, 1'000, nullptr);
    }
    while (!running_.empty()) end(running_.begin()->second.get(), Error(ErrorCode::operation_cancelled));
  }

  // True: the client was stopped.
  bool begin_waiting() {
    std::vector<std::shared_ptr<LeaderTransfer>> begin;
    bool stopped = false;
    {
      std::lock_guard lock(mutex_);
      begin.swap(waiting_);
      stopped = stopped_;
    }
    for (auto& transfer : begin) add(std::move(transfer));
    return stopped;
  }

  void add(std::shared_ptr<LeaderTransfer> transfer) {
    auto owned = std::make_unique<RunningTransfer>();
    RunningTransfer& running = *owned;
    running.easy = curl_easy_init();
    running.transfer = std::move(transfer);
    running.begun = SteadyClock::now();
    running_.emplace(&running, std::move(owned));
    if (running.easy == nullptr) return end(&running, Error(ErrorCode::unavailable, "out of memory"));
    set_options(running);
    if (curl_multi_add_handle(multi_, running.easy) != CURLM_OK) {
      end(&running, Error(ErrorCode::unavailable, "the HTTP library takes no more requests"));
    }
  }

  void set_options(RunningTransfer& running) {
    CURL* easy = running.easy;
    curl_easy_setopt(easy, CURLOPT_URL, (options_.url + running.transfer->target).c_str());
    blobs::set_common_options(easy, options_.ca_file, options_.connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 10L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    // A transfer that waits for its reader is not counted by libcurl.
    if (running.transfer->silence == Silence::is_an_error) blobs::set_idle_timeout(easy, options_.idle_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "strata-replica");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, running.error_text);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &running);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &running);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &running);
  }

  void attend_to_running() {
    const auto now = SteadyClock::now();
    for (auto next = running_.begin(); next != running_.end();) {
      RunningTransfer* running = (next++)->second.get();
      LeaderTransfer& transfer = *running->transfer;
      const int64_t limit_ms = transfer.has_head() ? transfer.whole_within_ms : options_.idle_timeout_ms;
      if (transfer.cancelled()) {
        end(running, Error(ErrorCode::operation_cancelled));
      } else if (limit_ms > 0 && now - running->begun > std::chrono::milliseconds(limit_ms)) {
        end(running, Error(ErrorCode::timed_out, "the leader did not answer in time"));
      } else if (transfer.take_wish_to_go_on()) {
        curl_easy_pause(running->easy, CURLPAUSE_CONT);
      }
    }
  }

  void take_finished() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      char* found = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &found);
      auto* running = reinterpret_cast<RunningTransfer*>(found);
      std::optional<Error> error;
      if (code != CURLE_OK) error = error_of_transfer(code, running->error_text);
      end(running, std::move(error));
    }
  }

  void end(RunningTransfer* running, std::optional<Error> error) {
    const auto found = running_.find(running);
    const std::unique_ptr<RunningTransfer> owned = std::move(found->second);
    running_.erase(found);
    if (owned->easy) {
      curl_multi_remove_handle(multi_, owned->easy);
      curl_easy_cleanup(owned->easy);
    }
    owned->transfer->finish(std::move(error));
  }

  const LeaderClientOptions options_;
  CURLM* const multi_;
  const std::shared_ptr<Wake> wake_ = std::make_shared<Wake>(multi_);
  curl_slist* headers_ = nullptr;
  std::mutex mutex_;
  std::vector<std::shared_ptr<LeaderTransfer>> waiting_;
  bool stopped_ = false;
  // The client's thread alone.
  std::unordered_map<RunningTransfer*, std::unique_ptr<RunningTransfer>> running_;
  std::thread thread_;  // last: it uses the members above
};

LeaderResponse::LeaderResponse(std::shared_ptr<LeaderTransfer> transfer) : transfer_(std::move(transfer)) {}
LeaderResponse::~LeaderResponse() {
  if (transfer_) transfer_->cancel();
}
Result<void> LeaderResponse::wait_for_head() { return transfer_->wait_for_head(); }
int LeaderResponse::status() const { return transfer_->status(); }
std::string LeaderResponse::log_id() const { return transfer_->log_id(); }
Result<Bytes> LeaderResponse::read() { return transfer_->read(); }
bool LeaderResponse::readable() const { return transfer_->readable(); }
void LeaderResponse::cancel() { transfer_->cancel(); }

LeaderClient::LeaderClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LeaderClient::~LeaderClient() = default;
const std::string& LeaderClient::url() const { return impl_->options().url; }
void LeaderClient::stop() { impl_->stop(); }

Result<std::unique_ptr<LeaderClient>> LeaderClient::create(const LeaderClientOptions& options) {
  RETURN_IF_ERROR(validate_leader_url(options.url));
  blobs::initialize_requests();
  LeaderClientOptions trimmed = options;
  if (trimmed.url.ends_with('/')) trimmed.url.pop_back();
  return std::unique_ptr<LeaderClient>(new LeaderClient(std::make_unique<Impl>(trimmed)));
}

Result<LeaderResponse> LeaderClient::get(std::string_view target, Silence silence) {
  LeaderResponse response(impl_->start(target, silence));
  RETURN_IF_ERROR(response.wait_for_head());
  return response;
}

Result<Bytes> LeaderClient::whole(std::string_view target, size_t limit_bytes) {
  // A byte now and then would keep a transfer alive for ever.
  LeaderResponse response(impl_->start(target, Silence::is_an_error, impl_->options().idle_timeout_ms));
  RETURN_IF_ERROR(response.wait_for_head());
  if (response.status() != 200) return error_of_answer(response);
  Bytes body;
  for (;;) {
    ASSIGN_OR_RETURN(const Bytes piece, response.read());
    if (piece.empty()) return body;
    if (body.size() + piece.size() > limit_bytes) {
      return Error(ErrorCode::payload_too_large, "the leader's answer is longer than it can be");
    }
    body += piece;
  }
}

}  // namespace strata::service
