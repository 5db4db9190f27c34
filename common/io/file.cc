#include "common/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace millrace {
namespace {

absl::Status PathError(int error, std::string_view doing, const std::string& path) {
  return ErrnoStatus(error, Concat(doing, " ", path));
}

absl::Status WriteTemporary(const std::string& path, std::string_view data) {
  MR_ASSIGN_OR_RETURN(const Fd file, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC));
  MR_RETURN_IF_ERROR(WriteAt(file, data, 0, path));
  return SyncData(file, path);
}

bool IsDirectory(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.Release();
  }
  return *this;
}

int Fd::Release() { return std::exchange(fd_, -1); }

void Fd::Reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

absl::StatusOr<Fd> OpenFile(const std::string& path, int flags) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return PathError(errno, "cannot open", path);
  return Fd(fd);
}

absl::StatusOr<std::string> ReadFile(const std::string& path, std::uint64_t max_bytes) {
  MR_ASSIGN_OR_RETURN(const Fd file, OpenFile(path, O_RDONLY));
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return PathError(errno, "cannot stat", path);
  std::string data;
  std::size_t used = 0;
  std::size_t room = info.st_size > 0 ? static_cast<std::size_t>(info.st_size) : 0;
  while (true) {
    if (room > max_bytes) return ResourceExhausted("file ", path, " is longer than ", max_bytes, " bytes");
    // One byte more than expected, so that the end of the file is seen without growing.
    data.resize(room + 1);
    const ssize_t n = ::read(file.get(), data.data() + used, data.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return PathError(errno, "cannot read", path);
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > room) room = used * 2;
  }
  if (used > max_bytes) return ResourceExhausted("file ", path, " is longer than ", max_bytes, " bytes");
  data.resize(used);
  return data;
}

absl::Status WriteAt(const Fd& file, std::string_view data, std::uint64_t offset, const std::string& path) {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(file.get(), data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return PathError(n < 0 ? errno : ENOSPC, "cannot write", path);
    data.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::Status SyncData(const Fd& file, const std::string& path) {
  if (::fdatasync(file.get()) != 0) return PathError(errno, "cannot sync", path);
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view data) {
  const std::string temporary = path + ".tmp";
  absl::Status status = WriteTemporary(temporary, data);
  if (status.ok()) status = RenameFile(temporary, path);
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

absl::Status RenameFile(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return PathError(errno, "cannot rename to", to);
  return SyncDirectory(ParentDirectory(to));
}

absl::Status RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return PathError(errno, "cannot remove", path);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  MR_ASSIGN_OR_RETURN(const Fd directory, OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return PathError(errno, "cannot sync directory", path);
  return absl::OkStatus();
}

absl::Status MakeDirectories(const std::string& path) {
  if (IsDirectory(path)) return absl::OkStatus();
  const std::string parent = ParentDirectory(path);
  if (parent != path) MR_RETURN_IF_ERROR(MakeDirectories(parent));
  if (::mkdir(path.c_str(), 0700) != 0) {
    const int error = errno;
    if (error == EEXIST && IsDirectory(path)) return absl::OkStatus();
    return PathError(error, "cannot make directory", path);
  }
  return SyncDirectory(parent);
}

std::string ParentDirectory(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "." : "/";
  const std::size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  const std::size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

}  // namespace millrace
