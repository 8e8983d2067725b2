// S3Client: signed requests to an S3 service.
//
// Purpose:       one request at a time, whole in memory both ways, tried again where that helps.
// Ownership:     owns its connection.
// Thread safety: one thread at a time.
// Invariants:    every request is signed (AWS Signature Version 4, the body's SHA-256 included). Redirects are refused:
//                the endpoint is the operator's word. Bodies are bounded both ways.
// Errors:        those of blob_store.h, with the service's code and message.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "blobs/blob_store.h"

namespace strata::blobs {

struct S3Options {
  // http[s]://host[:port][/path]; empty: Amazon's of the region.
  std::string endpoint;
  std::string region = "us-east-1";
  std::string access_key_id;
  std::string secret_access_key;
  // Of temporary credentials; empty: none.
  std::string session_token;
  // Certificates to trust instead of the system's; empty: the system's.
  std::string ca_file;
  int64_t connect_timeout_ms = 10'000;
  // Without a byte either way.
  int64_t idle_timeout_ms = 60'000;
  // Of the same request: after a broken connection, a time-out, 429 and 5xx. The pauses double from the first one.
  int attempts = 4;
  int64_t first_pause_ms = 200;
};

// As the AWS_* variables say: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION or
// AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_CA_BUNDLE. unauthenticated: no key is set.
Result<S3Options> s3_options_of_environment(const char* (*get)(const char* name));

struct S3Request {
  // GET, PUT, POST, DELETE.
  const char* method = "GET";
  // Path style. The key may be empty.
  std::string_view bucket;
  std::string_view key;
  // Any order; names and values as they are.
  std::vector<std::pair<std::string, std::string>> query;
  // "name: value".
  std::vector<std::string> headers;
  BytesView body;
  // Of the answer: more is an error.
  size_t answer_limit_bytes = 1u << 20;
  // A status besides 2xx that is an answer and no error; 0: none.
  int also_accepted_status = 0;
};

struct S3Answer {
  int status = 0;
  Bytes body;
  std::string etag;
  // The whole object's, of a Content-Range; 0: unknown.
  uint64_t total_bytes = 0;
};

class S3Client {
 public:
  explicit S3Client(S3Options options, Cancelled cancelled = {});
  ~S3Client();

  // A status of 2xx, or the accepted one; others are errors.
  Result<S3Answer> send(const S3Request& request);
  const S3Options& options() const { return options_; }

 private:
  struct Transfer;
  Result<S3Answer> try_once(const S3Request& request, bool& again);
  void pause(int64_t ms) const;

  const S3Options options_;
  const Cancelled cancelled_;
  void* easy_;  // libcurl's
};

// "bucket" as S3 allows it: 3 to 63 of a-z, 0-9, '.' and '-', letters or digits at both ends.
Result<void> validate_bucket_name(std::string_view bucket);

}  // namespace strata::blobs
