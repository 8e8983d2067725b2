#include "blobs/outgoing_request.h"

#include "base/assert.h"

namespace strata::blobs {

void initialize_requests() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  STRATA_ASSERT(done == CURLE_OK);
}

void set_common_options(CURL* easy, const std::string& ca_file, int64_t connect_timeout_ms) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout_ms));
}

void set_idle_timeout(CURL* easy, int64_t idle_timeout_ms) {
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>((idle_timeout_ms + 999) / 1'000));
}

}  // namespace strata::blobs
