#include "blobs/s3_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <pugixml.hpp>
#include <thread>

#include "base/assert.h"
#include "base/hex.h"
#include "base/parse_number.h"
#include "base/percent.h"
#include "blobs/outgoing_request.h"

namespace strata::blobs {
namespace {

// libcurl signs the query as it stands: sorted, and every name with its "=".
std::string url_of(const S3Options& options, const S3Request& request) {
  std::string url = options.endpoint;
  if (url.empty()) url = fmt::format("https://s3.{}.amazonaws.com", options.region);
  while (url.ends_with('/')) url.pop_back();
  url.push_back('/');
  append_percent_encoded(url, request.bucket);
  if (!request.key.empty()) {
    url.push_back('/');
    append_percent_encoded(url, request.key, true);
  }
  std::vector<std::string> parameters;
  for (const auto& [name, value] : request.query) {
    std::string parameter;
    append_percent_encoded(parameter, name);
    parameter.push_back('=');
    append_percent_encoded(parameter, value);
    parameters.push_back(std::move(parameter));
  }
  std::sort(parameters.begin(), parameters.end());
  char separator = '?';
  for (const std::string& parameter : parameters) {
    url.push_back(separator);
    url += parameter;
    separator = '&';
  }
  return url;
}

std::string sha256_hex(BytesView bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return to_hex(BytesView(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// <Error><Code>NoSuchKey</Code><Message>...</Message></Error>, or the status alone.
Error error_of_answer(const S3Answer& answer) {
  pugi::xml_document document;
  std::string words;
  if (document.load_buffer(answer.body.data(), answer.body.size(), pugi::parse_minimal | pugi::parse_escapes)) {
    const pugi::xml_node error = document.child("Error");
    const std::string_view code = error.child_value("Code");
    if (!code.empty()) {
      words = fmt::format("{}: {}", printable(code), printable(error.child_value("Message"), 300));
    }
  }
  const std::string message =
      fmt::format("the S3 service answered {}{}{}", answer.status, words.empty() ? "" : ", ", words);
  switch (answer.status) {
    case 401:
    case 403:
      return {ErrorCode::permission_denied, message};
    case 404:
      return {ErrorCode::not_found, message};
    case 400:
      return {ErrorCode::invalid_argument, message};
    case 412:
      return {ErrorCode::conflict, message};
    default:
      return {ErrorCode::unavailable, message};
  }
}

// "bytes 0-9/1234" -> 1234
uint64_t total_of_content_range(std::string_view value) {
  const size_t slash = value.rfind('/');
  if (slash == std::string_view::npos) return 0;
  return parse_number<uint64_t>(value.substr(slash + 1)).value_or(0);
}

}  // namespace

// What the library's callbacks see of a request.
struct S3Client::Transfer {
  const S3Request& request;
  const Cancelled& cancelled;
  S3Answer answer;
  size_t sent = 0;
  bool too_long = false;

  static size_t on_body(char* data, size_t, size_t size, void* argument) {
    auto* self = static_cast<Transfer*>(argument);
    if (self->answer.body.size() + size > self->request.answer_limit_bytes) {
      self->too_long = true;
      return 0;
    }
    self->answer.body.append(data, size);
    return size;
  }

  static size_t on_header(char* data, size_t, size_t size, void* argument) {
    auto* self = static_cast<Transfer*>(argument);
    std::string_view line(data, size);
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    const auto named = [&](std::string_view name) {
      return colon == name.size() && strncasecmp(line.data(), name.data(), colon) == 0;
    };
    if (named("etag")) self->answer.etag = value.substr(0, 256);
    if (named("content-range")) self->answer.total_bytes = total_of_content_range(value);
    return size;
  }

  static size_t on_upload(char* into, size_t, size_t size, void* argument) {
    auto* self = static_cast<Transfer*>(argument);
    const size_t count = std::min(size, self->request.body.size() - self->sent);
    std::memcpy(into, self->request.body.data() + self->sent, count);
    self->sent += count;
    return count;
  }

  // Where a connection that broke is tried anew by the library itself.
  static int on_rewind(void* argument, curl_off_t offset, int origin) {
    auto* self = static_cast<Transfer*>(argument);
    if (origin != SEEK_SET || offset < 0 || static_cast<size_t>(offset) > self->request.body.size()) {
      return CURL_SEEKFUNC_FAIL;
    }
    self->sent = static_cast<size_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  static int on_progress(void* argument, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto* self = static_cast<Transfer*>(argument);
    return self->cancelled && self->cancelled() ? 1 : 0;
  }
};

S3Client::S3Client(S3Options options, Cancelled cancelled)
    : options_(std::move(options)), cancelled_(std::move(cancelled)) {
  initialize_requests();
  easy_ = curl_easy_init();
  STRATA_ASSERT(easy_ != nullptr);
}

S3Client::~S3Client() { curl_easy_cleanup(easy_); }

Result<S3Answer> S3Client::send(const S3Request& request) {
  int64_t pause_ms = options_.first_pause_ms;
  for (int attempt = 1;; ++attempt) {
    if (cancelled_ && cancelled_()) return ErrorCode::operation_cancelled;
    bool again = false;
    Result<S3Answer> answer = try_once(request, again);
    if (answer.ok() || !again || attempt >= options_.attempts) return answer;
    pause(pause_ms);
    pause_ms *= 2;
  }
}

void S3Client::pause(int64_t ms) const {
  // In slices, so that a cancellation does not wait for it.
  constexpr int64_t slice_ms = 50;
  for (; ms > 0 && !(cancelled_ && cancelled_()); ms -= slice_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(ms, slice_ms)));
  }
}

Result<S3Answer> S3Client::try_once(const S3Request& request, bool& again) {
  CURL* easy = easy_;
  curl_easy_reset(easy);  // keeps the connection
  Transfer transfer{.request = request, .cancelled = cancelled_, .answer = {}};
  char detail[CURL_ERROR_SIZE] = {};
  const std::string url = url_of(options_, request);
  const std::string signing = fmt::format("aws:amz:{}:s3", options_.region);

  std::vector<std::string> lines = request.headers;
  lines.push_back("x-amz-content-sha256: " + sha256_hex(request.body));
  if (!options_.session_token.empty()) lines.push_back("x-amz-security-token: " + options_.session_token);
  // The library's own would be a form's. None may be taken away by "name:": it would be signed and not sent.
  if (std::string_view(request.method) == "POST") lines.push_back("Content-Type: application/xml");
  curl_slist* headers = nullptr;
  for (const std::string& line : lines) headers = curl_slist_append(headers, line.c_str());

  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  set_common_options(easy, options_.ca_file, options_.connect_timeout_ms);
  set_idle_timeout(easy, options_.idle_timeout_ms);
  curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, signing.c_str());
  curl_easy_setopt(easy, CURLOPT_USERNAME, options_.access_key_id.c_str());
  curl_easy_setopt(easy, CURLOPT_PASSWORD, options_.secret_access_key.c_str());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "strata");
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  if (std::string_view(request.method) == "PUT") {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, Transfer::on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, Transfer::on_rewind);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
  } else if (std::string_view(request.method) == "POST") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data() ? request.body.data() : "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  } else {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method);
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, Transfer::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, Transfer::on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);

  const CURLcode code = curl_easy_perform(easy);
  curl_slist_free_all(headers);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.answer.status = static_cast<int>(status);
  if (code == CURLE_ABORTED_BY_CALLBACK) return ErrorCode::operation_cancelled;
  if (transfer.too_long) return Error(ErrorCode::unavailable, "the S3 service's answer is longer than it can be");
  if (code != CURLE_OK) {
    again = true;
    return Error(ErrorCode::unavailable, fmt::format("the S3 service cannot be reached: {}",
                                                     detail[0] != '\0' ? detail : curl_easy_strerror(code)));
  }
  if ((status >= 200 && status < 300) || status == request.also_accepted_status) return std::move(transfer.answer);
  again = status == 429 || status >= 500;
  return error_of_answer(transfer.answer);
}

Result<S3Options> s3_options_of_environment(const char* (*get)(const char* name)) {
  const auto first_of = [&](std::initializer_list<const char*> names, std::string fallback) {
    for (const char* name : names) {
      if (const char* value = get(name); value != nullptr && *value != '\0') return std::string(value);
    }
    return fallback;
  };
  S3Options options;
  options.access_key_id = first_of({"AWS_ACCESS_KEY_ID"}, "");
  options.secret_access_key = first_of({"AWS_SECRET_ACCESS_KEY"}, "");
  if (options.access_key_id.empty() || options.secret_access_key.empty()) {
    return Error(ErrorCode::permission_denied,
                 "s3:// needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the server's environment");
  }
  options.session_token = first_of({"AWS_SESSION_TOKEN"}, "");
  options.region = first_of({"AWS_REGION", "AWS_DEFAULT_REGION"}, options.region);
  options.endpoint = first_of({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}, "");
  options.ca_file = first_of({"AWS_CA_BUNDLE"}, "");
  return options;
}

Result<void> validate_bucket_name(std::string_view bucket) {
  const auto is_letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool legal =
      bucket.size() >= 3 && bucket.size() <= 63 && is_letter_or_digit(bucket.front()) &&
      is_letter_or_digit(bucket.back()) && bucket.find("..") == std::string_view::npos &&
      std::all_of(bucket.begin(), bucket.end(), [&](char c) { return is_letter_or_digit(c) || c == '.' || c == '-'; });
  if (legal) return {};
  return Error(ErrorCode::invalid_argument, fmt::format("\"{}\" is no name of a bucket: 3 to 63 of a-z, 0-9, '.' and "
                                                        "'-', letters or digits at both ends",
                                                        printable(bucket)));
}

}  // namespace strata::blobs
