// Files: a thin, checked layer over POSIX. An error is a Status that names the path and carries the text of errno.
// "Durable" means here: survives a power cut, so the data, the name and the directory that holds the name are synced.
//
//   MR_RETURN_IF_ERROR(MakeDirectories(dir));
//   MR_RETURN_IF_ERROR(WriteFileAtomically(dir + "/epoch", "7\n"));
//
// Thread-safe, as far as two callers do not write the same path. New files have mode 0600, new directories 0700: what
// the daemons store belongs to their user alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"

namespace millrace {

// Owns a file descriptor and closes it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release();
  void Reset();

 private:
  int fd_ = -1;
};

// `flags` as for open(2); O_CLOEXEC is added.
absl::StatusOr<Fd> OpenFile(const std::string& path, int flags);

// The whole file. ResourceExhausted when it is longer than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::uint64_t max_bytes = std::uint64_t{4} << 30);

// Writes all of `data` at `offset`. On an error some of it may have been written; `path` is for the message alone.
absl::Status WriteAt(const Fd& file, std::string_view data, std::uint64_t offset, const std::string& path);

// fdatasync. After an error nothing is known of the file's pages: the descriptor must not be used for another try.
absl::Status SyncData(const Fd& file, const std::string& path);

// A reader sees the old content or the new, never a mixture, also after a power cut. Goes through `path`.tmp.
absl::Status WriteFileAtomically(const std::string& path, std::string_view data);

// Renames durably: the directory is synced, too.
absl::Status RenameFile(const std::string& from, const std::string& to);

// A file that is not there is no error.
absl::Status RemoveFile(const std::string& path);

// Makes names in a directory durable that were created, renamed or removed.
absl::Status SyncDirectory(const std::string& path);

// Makes the directory and its parents, durably. A directory that is there is no error.
absl::Status MakeDirectories(const std::string& path);

// "/a/b" → "/a"; "b" → ".".
std::string ParentDirectory(const std::string& path);

}  // namespace millrace
