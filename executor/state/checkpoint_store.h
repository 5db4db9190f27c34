// Where checkpoints are kept: whole files under names such as "j-1/s3-p2-b17.delta", in a place that all executors of a
// cluster share. A file appears under its name complete or not at all, never changes, and is read from begin to end.
//
//   MR_ASSIGN_OR_RETURN(auto file, store.Put("j-1/s3-p2-b17.delta"));
//   MR_RETURN_IF_ERROR(file->Append(block));          // as often as there are blocks: files may be gigabytes
//   MR_RETURN_IF_ERROR(file->Commit());               // durable from here, and visible to all
//
// The store may be used by many threads and outlives what it hands out; a writer or a reader is used by one thread.
// Errors: ResourceExhausted when there is no room, naming the file; NotFound; AlreadyExists, for a name is given once;
// InvalidArgument for a bad name; Unavailable and PermissionDenied as the place has it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace millrace {

// Destroyed before Commit has returned OK, it leaves nothing behind.
class CheckpointWriter {
 public:
  virtual ~CheckpointWriter() = default;
  // An error ends the writer.
  virtual absl::Status Append(std::string_view data) = 0;
  // Once. AlreadyExists: somebody else has given a file this name; that one stays.
  virtual absl::Status Commit() = 0;
};

class CheckpointReader {
 public:
  virtual ~CheckpointReader() = default;
  // How many bytes it has read; fewer than asked for is no sign of anything, 0 is the end.
  virtual absl::StatusOr<std::size_t> Read(std::span<char> to) = 0;
};

struct CheckpointEntry {
  std::string name;
  std::uint64_t bytes = 0;
  bool operator==(const CheckpointEntry&) const = default;
};

class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  virtual absl::StatusOr<std::unique_ptr<CheckpointWriter>> Put(const std::string& name) = 0;
  virtual absl::StatusOr<std::unique_ptr<CheckpointReader>> Open(const std::string& name) = 0;
  // What is not there is no error.
  virtual absl::Status Delete(const std::string& name) = 0;
  // Every file whose name begins with `prefix`, by name. Files that come or go meanwhile may be in it or not.
  virtual absl::StatusOr<std::vector<CheckpointEntry>> List(const std::string& prefix) = 0;
  // What writers in processes that died have left, a day later: nobody can tell earlier, for the store is everybody's.
  virtual absl::Status RemoveAbandoned() = 0;
  // Where a file is, for people: a path, an address.
  virtual std::string Locate(const std::string& name) const = 0;
};

// Parts of letters, digits, '.', '_' and '-', none beginning with '.', joined by '/'; at most 512 bytes. Such a name
// means the same in every kind of store.
absl::Status CheckCheckpointName(std::string_view name);

}  // namespace millrace
