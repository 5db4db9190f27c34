// The objects under a prefix of an S3 bucket, as files. An object's identity is its ETag: one that is put anew under
// the same key is another file, one that is put again with the same bytes is the same.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/object_store/s3_client.h"
#include "executor/connectors/files/file_store.h"

namespace millrace {

class S3Store final : public FileStore {
 public:
  S3Store(std::shared_ptr<S3Client> client, S3Url place, std::string pattern)
      : client_(std::move(client)), place_(std::move(place)), pattern_(std::move(pattern)) {}

  absl::StatusOr<std::vector<TextFile>> List() override;
  std::unique_ptr<FileBytes> Open(const TextFile& file) override;
  std::string Locate(const TextFile& file) const override { return ToString(ObjectOf(file)); }

 private:
  std::string Root() const { return place_.key.empty() ? std::string() : place_.key + "/"; }
  S3Url ObjectOf(const TextFile& file) const { return {place_.bucket, Root() + file.path}; }

  const std::shared_ptr<S3Client> client_;
  const S3Url place_;
  const std::string pattern_;
};

}  // namespace millrace
