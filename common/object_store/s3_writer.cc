#include "common/object_store/s3_writer.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace millrace {
namespace {

constexpr std::size_t kPartsMax = 10'000;
constexpr std::size_t kReserveFrom = std::size_t{1} << 20;  // a string that doubles would take twice a part

}  // namespace

S3Writer::S3Writer(S3Client& client, S3Url object, S3Put how)
    : client_(client), object_(std::move(object)), how_(how), token_(NewS3Token()) {}

S3Writer::~S3Writer() { Abort(); }

absl::Status S3Writer::Append(std::string_view data) {
  MR_RETURN_IF_ERROR(ended_);
  while (!data.empty()) {
    if (part_.size() == kS3PartBytes) {  // more is coming, so it is not the last
      if (absl::Status status = SendPart(); !status.ok()) return End(std::move(status));
    }
    const std::size_t n = std::min(data.size(), kS3PartBytes - part_.size());
    if (part_.size() + n > kReserveFrom) part_.reserve(kS3PartBytes);
    part_.append(data.substr(0, n));
    data.remove_prefix(n);
  }
  return absl::OkStatus();
}

absl::Status S3Writer::SendPart() {
  if (tags_.size() == kPartsMax) {
    return ResourceExhausted(ToString(object_), " is too long: an object in S3 has at most ", kPartsMax,
                             " parts, here of ", kS3PartBytes >> 20, " MiB");
  }
  if (upload_.empty()) {
    MR_ASSIGN_OR_RETURN(upload_, client_.BeginUpload(object_, token_));
  }
  MR_ASSIGN_OR_RETURN(std::string tag, client_.PutPart(object_, upload_, static_cast<int>(tags_.size()) + 1, part_));
  tags_.push_back(std::move(tag));
  part_.clear();
  return absl::OkStatus();
}

absl::Status S3Writer::Commit() {
  MR_RETURN_IF_ERROR(ended_);
  absl::Status status = Publish();
  if (!status.ok()) return End(std::move(status));
  upload_.clear();
  part_ = {};
  ended_ = FailedPrecondition(ToString(object_), " was committed already");
  return absl::OkStatus();
}

absl::Status S3Writer::Publish() {
  if (upload_.empty()) return client_.Put(object_, part_, how_);
  MR_RETURN_IF_ERROR(SendPart());
  return client_.CompleteUpload(object_, upload_, tags_, token_, how_);
}

absl::Status S3Writer::End(absl::Status why) {
  Abort();
  part_ = {};
  ended_ = why;
  return why;
}

// When the store does not answer, the parts stay until somebody looks for old uploads.
void S3Writer::Abort() {
  if (upload_.empty()) return;
  if (const absl::Status status = client_.AbortUpload(object_, std::exchange(upload_, {})); !status.ok())
    log::Warn("an upload was not taken back", {{"object", ToString(object_)}, {"error", Message(status)}});
}

}  // namespace millrace
