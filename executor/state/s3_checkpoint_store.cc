#include "executor/state/s3_checkpoint_store.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "common/object_store/s3_writer.h"

namespace millrace {
namespace {

constexpr std::size_t kFirstPieceBytes = std::size_t{256} << 10;
constexpr std::size_t kLargestPieceBytes = std::size_t{4} << 20;
constexpr std::time_t kAbandonedAfterS = 24 * 60 * 60;

class Writer final : public CheckpointWriter {
 public:
  Writer(S3Client& client, S3Url object) : writer_(client, std::move(object), S3Put::kOnlyNew) {}
  absl::Status Append(std::string_view data) override { return writer_.Append(data); }
  absl::Status Commit() override { return writer_.Commit(); }

 private:
  S3Writer writer_;
};

class Reader final : public CheckpointReader {
 public:
  Reader(S3Client& client, S3Url object) : client_(client), object_(std::move(object)) {}

  absl::Status Fetch() {
    MR_ASSIGN_OR_RETURN(S3Piece piece, client_.Get(object_, next_, want_));
    piece_ = std::move(piece.data);
    used_ = 0;
    next_ += piece_.size();
    bytes_ = piece.object_bytes;
    want_ = std::min(2 * want_, kLargestPieceBytes);
    return absl::OkStatus();
  }

  absl::StatusOr<std::size_t> Read(std::span<char> to) override {
    if (used_ == piece_.size() && next_ < bytes_) MR_RETURN_IF_ERROR(Fetch());
    const std::size_t n = std::min(to.size(), piece_.size() - used_);
    std::copy_n(piece_.data() + used_, n, to.data());
    used_ += n;
    return n;
  }

 private:
  S3Client& client_;
  const S3Url object_;
  std::size_t want_ = kFirstPieceBytes;
  std::uint64_t next_ = 0;   // of the object, not yet fetched
  std::uint64_t bytes_ = 0;  // of the object
  std::string piece_;
  std::size_t used_ = 0;  // of piece_
};

}  // namespace

S3Url S3CheckpointStore::ObjectOf(const std::string& name) const { return {place_.bucket, Root() + name}; }

absl::StatusOr<std::unique_ptr<CheckpointWriter>> S3CheckpointStore::Put(const std::string& name) {
  MR_RETURN_IF_ERROR(CheckCheckpointName(name));
  return std::make_unique<Writer>(*client_, ObjectOf(name));
}

absl::StatusOr<std::unique_ptr<CheckpointReader>> S3CheckpointStore::Open(const std::string& name) {
  MR_RETURN_IF_ERROR(CheckCheckpointName(name));
  auto reader = std::make_unique<Reader>(*client_, ObjectOf(name));
  MR_RETURN_IF_ERROR(reader->Fetch());
  return reader;
}

absl::Status S3CheckpointStore::Delete(const std::string& name) {
  MR_RETURN_IF_ERROR(CheckCheckpointName(name));
  return client_->Delete(ObjectOf(name));
}

absl::StatusOr<std::vector<CheckpointEntry>> S3CheckpointStore::List(const std::string& prefix) {
  MR_ASSIGN_OR_RETURN(const std::vector<S3Object> objects, client_->List(place_.bucket, Root() + prefix));
  std::vector<CheckpointEntry> found;
  for (const S3Object& object : objects) {
    std::string name = object.key.substr(Root().size());
    if (CheckCheckpointName(name).ok()) found.push_back({std::move(name), object.bytes});
  }
  return found;
}

absl::Status S3CheckpointStore::RemoveAbandoned() {
  MR_ASSIGN_OR_RETURN(const std::vector<S3PendingUpload> uploads, client_->ListUploads(place_.bucket, Root()));
  const std::time_t before = std::time(nullptr) - kAbandonedAfterS;
  std::tm parts{};
  char text[32];
  gmtime_r(&before, &parts);
  const std::size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string_view limit(text, n);
  for (const S3PendingUpload& upload : uploads) {
    if (!upload.key.starts_with(Root()) || upload.begun.empty() || upload.begun >= limit) continue;
    MR_RETURN_IF_ERROR(client_->AbortUpload({place_.bucket, upload.key}, upload.id));
  }
  return absl::OkStatus();
}

}  // namespace millrace
