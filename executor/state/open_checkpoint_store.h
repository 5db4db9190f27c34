// The checkpoint store that a configuration names: a folder, or "s3://bucket/prefix".
//
//   MR_ASSIGN_OR_RETURN(auto store, OpenCheckpointStore({.place = "s3://state/prod", .s3 = {.region = "eu-1"}}));
//
// Nothing is sent to an S3 store here: that it is away holds up whoever needs it, and later. Errors say what is wrong
// in the configuration; those of a folder that cannot be made are the file system's.
#pragma once

#include <memory>
#include <string>

#include "common/object_store/s3_client.h"
#include "executor/state/checkpoint_store.h"

namespace millrace {

struct CheckpointPlace {
  std::string place;
  S3Options s3;  // of an s3:// place
};

absl::StatusOr<std::shared_ptr<CheckpointStore>> OpenCheckpointStore(const CheckpointPlace& place);

}  // namespace millrace
