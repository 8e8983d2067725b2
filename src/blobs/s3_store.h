// S3Store: the blobs below a prefix of a bucket.
//
// Purpose:       backups on Amazon S3 and on what speaks its protocol.
// Ownership:     each writer and reader has a connection of its own.
// Thread safety: as BlobStore.
// Invariants:    a blob of more than one piece is a multipart upload: it appears when it is completed, and one that is
//                not finished is aborted. A reader asks for pieces of one version of the blob (its ETag).
// Sizes:         a piece has 8 MiB, which is what a writer or reader holds; a blob 10,000 pieces (78 GiB).
#pragma once

#include "blobs/s3_client.h"

namespace strata::blobs {

class S3Store final : public BlobStore {
 public:
  // prefix: what stands in front of every blob's name, "" or with a "/" at its end.
  S3Store(S3Options options, std::string bucket, std::string prefix, Cancelled cancelled = {});

  Result<std::unique_ptr<BlobWriter>> create(std::string_view name) override;
  Result<std::unique_ptr<ByteSource>> open(std::string_view name) override;
  Result<BlobPage> list(std::string_view prefix, std::string_view after, size_t limit) override;
  Result<void> remove(std::string_view name) override;

 private:
  const S3Options options_;
  const std::string bucket_;
  const std::string prefix_;
  const Cancelled cancelled_;
};

}  // namespace strata::blobs
