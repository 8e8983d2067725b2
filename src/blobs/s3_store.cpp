#include "blobs/s3_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <pugixml.hpp>

#include "base/parse_number.h"

namespace strata::blobs {
namespace {

constexpr size_t piece_bytes = 8u << 20;
constexpr size_t max_pieces = 10'000;
constexpr int partial_content = 206;
constexpr int range_not_satisfiable = 416;

Result<pugi::xml_document> parse_answer(const Bytes& body) {
  pugi::xml_document document;
  // No entities but the five, no external ones: pugixml knows none.
  if (!document.load_buffer(body.data(), body.size(), pugi::parse_minimal | pugi::parse_escapes)) {
    return Error(ErrorCode::unavailable, "the S3 service's answer is not XML");
  }
  return document;
}

class S3Writer final : public BlobWriter {
 public:
  S3Writer(const S3Options& options, const Cancelled& cancelled, std::string bucket, std::string key)
      : client_(options, cancelled),
        // What is left behind is aborted also by whoever was told to stop.
        cleaner_(options),
        bucket_(std::move(bucket)),
        key_(std::move(key)) {}

  ~S3Writer() override {
    if (upload_id_.empty()) return;
    // Best effort: a lifecycle rule of the bucket removes what a lost connection leaves.
    static_cast<void>(cleaner_.send(request("DELETE", {{"uploadId", upload_id_}}, {})));
  }

  Result<void> write(BytesView bytes) override {
    while (!bytes.empty()) {
      const size_t count = std::min(bytes.size(), piece_bytes - piece_.size());
      if (piece_.capacity() == 0) piece_.reserve(std::min(piece_bytes, std::max<size_t>(bytes.size(), 64u << 10)));
      piece_.append(bytes.substr(0, count));
      bytes.remove_prefix(count);
      if (piece_.size() == piece_bytes) RETURN_IF_ERROR(send_piece());
    }
    return {};
  }

  Result<void> finish() override {
    if (upload_id_.empty()) {
      RETURN_IF_ERROR(client_.send(request("PUT", {}, piece_)));
      return {};
    }
    if (!piece_.empty()) RETURN_IF_ERROR(send_piece());
    Bytes body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (size_t i = 0; i < etags_.size(); ++i) {
      body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags_[i]);
    }
    body += "</CompleteMultipartUpload>";
    ASSIGN_OR_RETURN(const S3Answer answer, client_.send(request("POST", {{"uploadId", upload_id_}}, body)));
    // The service may begin a 200 before it knows that it fails.
    ASSIGN_OR_RETURN(const pugi::xml_document document, parse_answer(answer.body));
    if (!document.child("CompleteMultipartUploadResult")) {
      return Error(ErrorCode::unavailable, fmt::format("the S3 service did not complete the upload: {}",
                                                       printable(document.child("Error").child_value("Message"))));
    }
    upload_id_.clear();
    return {};
  }

 private:
  S3Request request(const char* method, std::vector<std::pair<std::string, std::string>> query, BytesView body) const {
    return {.method = method, .bucket = bucket_, .key = key_, .query = std::move(query), .headers = {}, .body = body};
  }

  Result<void> send_piece() {
    if (upload_id_.empty()) {
      ASSIGN_OR_RETURN(const S3Answer answer, client_.send(request("POST", {{"uploads", ""}}, {})));
      ASSIGN_OR_RETURN(const pugi::xml_document document, parse_answer(answer.body));
      upload_id_ = document.child("InitiateMultipartUploadResult").child_value("UploadId");
      if (upload_id_.empty()) return Error(ErrorCode::unavailable, "the S3 service gave no id for the upload");
    }
    if (etags_.size() == max_pieces) {
      return Error(ErrorCode::payload_too_large, "a file of a backup on S3 has at most 10,000 pieces of 8 MiB");
    }
    const std::string number = std::to_string(etags_.size() + 1);
    ASSIGN_OR_RETURN(S3Answer answer,
                     client_.send(request("PUT", {{"partNumber", number}, {"uploadId", upload_id_}}, piece_)));
    // Quotes are part of it; anything that would end the element is not.
    if (answer.etag.empty() || answer.etag.find_first_of("<>&") != std::string::npos) {
      return Error(ErrorCode::unavailable, "the S3 service gave no usable ETag for a piece");
    }
    etags_.push_back(std::move(answer.etag));
    piece_.clear();
    return {};
  }

  S3Client client_;
  S3Client cleaner_;
  const std::string bucket_;
  const std::string key_;
  Bytes piece_;
  std::string upload_id_;
  std::vector<std::string> etags_;
};

class S3Reader final : public ByteSource {
 public:
  S3Reader(const S3Options& options, const Cancelled& cancelled, std::string bucket, std::string key)
      : client_(options, cancelled), bucket_(std::move(bucket)), key_(std::move(key)) {}

  Result<void> open() { return fetch(); }

  Result<size_t> read(std::span<char> into) override {
    if (at_ == piece_.size()) {
      if (next_ >= total_) return size_t{0};
      RETURN_IF_ERROR(fetch());
    }
    const size_t count = std::min(into.size(), piece_.size() - at_);
    std::memcpy(into.data(), piece_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  Result<void> fetch() {
    S3Request request{.bucket = bucket_,
                      .key = key_,
                      .query = {},
                      .headers = {fmt::format("Range: bytes={}-{}", next_, next_ + piece_bytes - 1)},
                      .body = {},
                      .answer_limit_bytes = piece_bytes};
    if (!etag_.empty()) request.headers.push_back("If-Match: " + etag_);
    // No range is within a blob of no bytes.
    if (next_ == 0) request.also_accepted_status = range_not_satisfiable;
    ASSIGN_OR_RETURN(S3Answer answer, client_.send(request));
    if (answer.status == range_not_satisfiable) return {};
    const uint64_t total = answer.status == partial_content ? answer.total_bytes : answer.body.size();
    const bool fits = answer.body.size() == std::min<uint64_t>(piece_bytes, total - std::min(total, next_));
    if (!fits || (next_ != 0 && total != total_)) {
      return Error(ErrorCode::unavailable, "the S3 service answered with another range than it was asked for");
    }
    total_ = total;
    etag_ = std::move(answer.etag);
    piece_ = std::move(answer.body);
    at_ = 0;
    next_ += piece_.size();
    return {};
  }

  S3Client client_;
  const std::string bucket_;
  const std::string key_;
  Bytes piece_;
  size_t at_ = 0;
  uint64_t next_ = 0;
  uint64_t total_ = 0;
  std::string etag_;
};

}  // namespace

S3Store::S3Store(S3Options options, std::string bucket, std::string prefix, Cancelled cancelled)
    : options_(std::move(options)),
      bucket_(std::move(bucket)),
      prefix_(std::move(prefix)),
      cancelled_(std::move(cancelled)) {}

Result<std::unique_ptr<BlobWriter>> S3Store::create(std::string_view name) {
  RETURN_IF_ERROR(validate_blob_name(name));
  return std::unique_ptr<BlobWriter>(
      std::make_unique<S3Writer>(options_, cancelled_, bucket_, prefix_ + std::string(name)));
}

Result<std::unique_ptr<ByteSource>> S3Store::open(std::string_view name) {
  RETURN_IF_ERROR(validate_blob_name(name));
  auto reader = std::make_unique<S3Reader>(options_, cancelled_, bucket_, prefix_ + std::string(name));
  RETURN_IF_ERROR(reader->open());
  return std::unique_ptr<ByteSource>(std::move(reader));
}

Result<BlobPage> S3Store::list(std::string_view prefix, std::string_view after, size_t limit) {
  S3Client client(options_, cancelled_);
  S3Request request{
      .bucket = bucket_,
      .key = {},
      .query = {{"list-type", "2"}, {"max-keys", std::to_string(limit)}, {"prefix", prefix_ + std::string(prefix)}},
      .headers = {},
      .body = {},
      .answer_limit_bytes = 8u << 20};
  if (!after.empty()) request.query.emplace_back("start-after", prefix_ + std::string(after));
  ASSIGN_OR_RETURN(const S3Answer answer, client.send(request));
  ASSIGN_OR_RETURN(const pugi::xml_document document, parse_answer(answer.body));
  const pugi::xml_node result = document.child("ListBucketResult");
  if (!result) return Error(ErrorCode::unavailable, "the S3 service's answer is no list");
  BlobPage page;
  page.more = std::string_view(result.child_value("IsTruncated")) == "true";
  for (const pugi::xml_node entry : result.children("Contents")) {
    std::string_view key = entry.child_value("Key");
    if (!key.starts_with(prefix_) || page.blobs.size() == limit) continue;
    key.remove_prefix(prefix_.size());
    page.blobs.push_back({std::string(key), parse_number<uint64_t>(entry.child_value("Size")).value_or(0)});
  }
  return page;
}

Result<void> S3Store::remove(std::string_view name) {
  RETURN_IF_ERROR(validate_blob_name(name));
  S3Client client(options_, cancelled_);
  const std::string key = prefix_ + std::string(name);
  const Result<S3Answer> answer =
      client.send({.method = "DELETE", .bucket = bucket_, .key = key, .query = {}, .headers = {}, .body = {}});
  if (!answer.ok() && answer.error().code() != ErrorCode::not_found) return answer.error();
  return {};
}

}  // namespace strata::blobs
