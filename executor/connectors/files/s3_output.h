// A bucket of an S3 store as a place for the files sink: a file is an object, put with the condition that there is none
// of its name; long ones go up in parts while they are staged, and are seen when they are complete. What writers that
// died have left of those is taken back by the next owner of the partition.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/object_store/s3_writer.h"
#include "executor/connectors/files/output_place.h"

namespace millrace {

class S3Output final : public OutputPlace {
 public:
  S3Output(std::shared_ptr<S3Client> client, S3Url place) : client_(std::move(client)), place_(std::move(place)) {}

  absl::Status Claim(std::string_view sink, std::string_view job_id) override;
  absl::StatusOr<std::uint64_t> HighestBatch(std::string_view prefix, std::string_view suffix) override;
  absl::Status RemoveStaged(std::string_view prefix) override;
  absl::Status Stage(const std::string& name, const std::string& owner, RowText text) override;
  absl::Status Publish() override;

 private:
  std::string KeyOf(std::string_view name) const;

  const std::shared_ptr<S3Client> client_;
  const S3Url place_;
  std::optional<S3Writer> staged_;
};

}  // namespace millrace
