// Where the files source finds its files: a directory that all runners see, or a bucket of an S3 store.
//
//   MR_ASSIGN_OR_RETURN(std::vector<TextFile> files, store.List());
//   std::unique_ptr<FileBytes> bytes = store.Open(files[0]);
//   MR_ASSIGN_OR_RETURN(std::string text, bytes->Read(0, 1 << 20));
//
// Thread rule: a store may be used by many threads; what it opens by one at a time, and not after the store. Errors:
// DataLoss for a file that is gone, replaced by another, or shorter than it was; NotFound for a directory or bucket
// that is not there; what the file system and the S3 client say.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/text_files.h"

namespace millrace {

class FileBytes {
 public:
  virtual ~FileBytes() = default;
  // The bytes from `from` on: fewer than `size` only at the end of the file. DataLoss when `from` is behind the end.
  virtual absl::StatusOr<std::string> Read(std::uint64_t from, std::uint64_t size) = 0;
  // Lets go of what is open; a later Read opens it again.
  virtual void Release() {}
};

class FileStore {
 public:
  virtual ~FileStore() = default;
  // All files that are complete, sorted by path.
  virtual absl::StatusOr<std::vector<TextFile>> List() = 0;
  virtual std::unique_ptr<FileBytes> Open(const TextFile& file) = 0;
  // What people call it: a path, an address.
  virtual std::string Locate(const TextFile& file) const = 0;
};

}  // namespace millrace
