#include "executor/state/open_checkpoint_store.h"

#include "executor/state/posix_checkpoint_store.h"
#include "executor/state/s3_checkpoint_store.h"

namespace millrace {

absl::StatusOr<std::shared_ptr<CheckpointStore>> OpenCheckpointStore(const CheckpointPlace& place) {
  if (!IsS3Url(place.place)) {
    MR_ASSIGN_OR_RETURN(std::shared_ptr<CheckpointStore> store, PosixCheckpointStore::Make({.root = place.place}));
    return store;
  }
  MR_ASSIGN_OR_RETURN(S3Url url, ParseS3Url(place.place));
  auto client = S3Client::Make(place.s3);
  if (!client.ok()) return Annotate(client.status(), "checkpoints in ", place.place);
  return std::make_shared<S3CheckpointStore>(*std::move(client), std::move(url));
}

}  // namespace millrace
