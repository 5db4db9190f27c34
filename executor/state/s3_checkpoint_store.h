// A bucket of an S3 store as a checkpoint store: the file NAME is the object PREFIX/NAME. For clusters whose machines
// share no folder.
//
// A file is one object, put with the condition that there is none of its name; long ones go up in parts while they are
// written. Reading is by pieces that grow, so that a small file costs one request and a large one few. Each call waits
// out passing trouble of the store for some ten seconds. Thread rule and errors: checkpoint_store.h; what the store
// says is in common/object_store/s3_client.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/object_store/s3_client.h"
#include "executor/state/checkpoint_store.h"

namespace millrace {

class S3CheckpointStore final : public CheckpointStore {
 public:
  S3CheckpointStore(std::unique_ptr<S3Client> client, S3Url place)
      : client_(std::move(client)), place_(std::move(place)) {}

  absl::StatusOr<std::unique_ptr<CheckpointWriter>> Put(const std::string& name) override;
  absl::StatusOr<std::unique_ptr<CheckpointReader>> Open(const std::string& name) override;
  absl::Status Delete(const std::string& name) override;
  absl::StatusOr<std::vector<CheckpointEntry>> List(const std::string& prefix) override;
  absl::Status RemoveAbandoned() override;
  std::string Locate(const std::string& name) const override { return ToString(ObjectOf(name)); }

 private:
  S3Url ObjectOf(const std::string& name) const;
  std::string Root() const { return place_.key.empty() ? std::string() : place_.key + "/"; }

  const std::unique_ptr<S3Client> client_;
  const S3Url place_;
};

}  // namespace millrace
