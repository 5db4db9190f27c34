// Job libraries on disk, named by what is in them: `<dir>/<sha256 in hex>`. The driver keeps what was submitted, an
// executor a cache. A file appears under its name only when it is complete, has the right hash, and is durable.
//
//   MR_ASSIGN_OR_RETURN(auto store, ArtifactStore::Open(dir));
//   MR_ASSIGN_OR_RETURN(auto upload, store.Begin(size, sha256));   // sha256: 32 raw bytes, as on the wire
//   MR_RETURN_IF_ERROR(upload.Append(chunk));                      // as often as there are chunks
//   MR_RETURN_IF_ERROR(upload.Finish());
//
// The store may be used by many threads, an upload by one at a time. Two uploads of one artifact do not disturb each
// other. An upload removes its temporary file when anything fails and when it is destroyed unfinished; Open removes
// those of a crashed process, so a directory belongs to one process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/io/file.h"
#include "common/io/sha256.h"
#include "common/status.h"

namespace millrace {

inline constexpr std::uint64_t kMaxArtifactBytes = std::uint64_t{512} << 20;

class ArtifactUpload {
 public:
  ArtifactUpload(ArtifactUpload&&) noexcept;
  ArtifactUpload& operator=(ArtifactUpload&&) = delete;
  ~ArtifactUpload();

  // InvalidArgument when more comes than was announced; ResourceExhausted, naming the file, when the disk is full. Any
  // error ends the upload.
  absl::Status Append(std::string_view chunk);

  // DataLoss when bytes are missing or the hash is not the announced one.
  absl::Status Finish();

  std::uint64_t received_bytes() const { return received_; }

 private:
  friend class ArtifactStore;
  ArtifactUpload(std::string final_path, std::string temporary_path, Fd file, std::uint64_t size, std::string sha256);
  absl::Status Fail(absl::Status why);

  std::string final_path_;
  std::string temporary_path_;  // empty when there is no temporary file any more
  Fd file_;
  std::uint64_t size_;
  std::uint64_t received_ = 0;
  std::string sha256_;
  Sha256 hash_;
  absl::Status failed_;
};

class ArtifactStore {
 public:
  // Makes the directory and clears temporary files away.
  static absl::StatusOr<ArtifactStore> Open(const std::string& dir);

  // InvalidArgument when the hash is not 32 bytes or the size not 1 to kMaxArtifactBytes.
  absl::StatusOr<ArtifactUpload> Begin(std::uint64_t size, std::string_view sha256) const;

  bool Has(std::string_view sha256) const;
  std::string Path(std::string_view sha256) const;
  // Reads the file again: NotFound, or DataLoss when it is not what its name says.
  absl::Status Verify(std::string_view sha256) const;
  // What is not there is no error.
  absl::Status Remove(std::string_view sha256) const;

 private:
  explicit ArtifactStore(std::string dir) : dir_(std::move(dir)) {}
  std::string dir_;
};

}  // namespace millrace
