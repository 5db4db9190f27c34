#include "executor/connectors/files/s3_output.h"

#include <algorithm>

#include "common/status.h"
#include "executor/connectors/files/batch_name.h"

namespace millrace {

std::string S3Output::KeyOf(std::string_view name) const {
  return place_.key.empty() ? std::string(name) : Concat(place_.key, "/", name);
}

absl::Status S3Output::Claim(std::string_view sink, std::string_view job_id) {
  const S3Url owner{place_.bucket, KeyOf(Concat(".staging/", sink, ".job"))};
  const absl::Status put = client_->Put(owner, Concat(job_id, "\n"), S3Put::kOnlyNew);
  if (!absl::IsAlreadyExists(put)) return put;
  MR_ASSIGN_OR_RETURN(const S3Piece found, client_->Get(owner, 0, 4096));
  const std::string other = found.data.substr(0, found.data.find('\n'));
  if (other == job_id) return absl::OkStatus();
  return FailedPrecondition("'", ToString(place_), "' holds the output that job ", other, " made with sink '", sink,
                            "'; give job ", job_id, " a prefix of its own, or move the old output and '",
                            ToString(owner), "' away");
}

absl::StatusOr<std::uint64_t> S3Output::HighestBatch(std::string_view prefix, std::string_view suffix) {
  MR_ASSIGN_OR_RETURN(const std::vector<S3Object> objects, client_->List(place_.bucket, KeyOf(prefix)));
  std::uint64_t highest = 0;
  for (const S3Object& object : objects) {
    const std::string_view name = std::string_view(object.key).substr(KeyOf("").size());
    highest = std::max(highest, BatchOf(name, prefix, suffix));
  }
  return highest;
}

absl::Status S3Output::RemoveStaged(std::string_view prefix) {
  staged_.reset();
  const std::string root = KeyOf("");
  MR_ASSIGN_OR_RETURN(const std::vector<S3PendingUpload> uploads, client_->ListUploads(place_.bucket, KeyOf(prefix)));
  for (const S3PendingUpload& upload : uploads) {
    // The digits tell "a-1-2-" + batch from the files of a sink that is called "a-1".
    if (!BeginsWithBatch(std::string_view(upload.key).substr(root.size()), prefix)) continue;
    MR_RETURN_IF_ERROR(client_->AbortUpload({place_.bucket, upload.key}, upload.id));
  }
  return absl::OkStatus();
}

absl::Status S3Output::Stage(const std::string& name, const std::string& /*owner*/, RowText text) {
  staged_.emplace(*client_, S3Url{place_.bucket, KeyOf(name)}, S3Put::kOnlyNew);
  for (std::string piece; text.Next(piece);) {
    if (absl::Status status = staged_->Append(piece); !status.ok()) {
      staged_.reset();
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status S3Output::Publish() {
  MR_CHECK(staged_.has_value());
  const absl::Status put = staged_->Commit();
  staged_.reset();
  if (absl::IsAlreadyExists(put)) return absl::OkStatus();
  if (absl::IsNotFound(put))
    return Aborted("an upload to '", ToString(place_), "' is gone: a newer owner of this partition has taken over");
  return put;
}

}  // namespace millrace
