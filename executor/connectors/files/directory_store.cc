#include "executor/connectors/files/directory_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/status.h"

namespace millrace {
namespace {

// What is added to the file after it was opened first is not looked at.
class OpenFile final : public FileBytes {
 public:
  OpenFile(std::string path, std::uint64_t inode) : path_(std::move(path)), inode_(inode) {}
  ~OpenFile() override { Release(); }

  absl::StatusOr<std::string> Read(std::uint64_t from, std::uint64_t size) override {
    MR_RETURN_IF_ERROR(Open());
    if (from > size_) {
      return DataLoss("file '", path_, "' was cut short: it has ", size_, " bytes, but position ", from,
                      " was reached before");
    }
    std::string bytes(std::min(size, size_ - from), '\0');
    std::uint64_t got = 0;
    while (got < bytes.size()) {
      const ssize_t n = pread(fd_, bytes.data() + got, bytes.size() - got, static_cast<off_t>(from + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, Concat("reading file '", path_, "' at byte ", from + got));
      if (n == 0) return DataLoss("file '", path_, "' was cut short to ", from + got, " bytes while it was read");
      got += static_cast<std::uint64_t>(n);
    }
    return bytes;
  }

  void Release() override {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  absl::Status Open() {
    if (fd_ >= 0) return absl::OkStatus();
    // Non-blocking, so that a pipe put in the file's place cannot hang the reader.
    fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd_ < 0) {
      if (errno == ENOENT) return DataLoss("file '", path_, "' is gone; it was not read to its end");
      return ErrnoStatus(errno, Concat("opening file '", path_, "'"));
    }
    struct stat info {};
    if (fstat(fd_, &info) != 0) {
      const int error = errno;
      Release();
      return ErrnoStatus(error, Concat("opening file '", path_, "'"));
    }
    if (info.st_ino != inode_ || !S_ISREG(info.st_mode)) {
      Release();
      return DataLoss("file '", path_, "' was replaced by another (inode ", info.st_ino, " in place of ", inode_,
                      ") before it was read to its end");
    }
    size_ = static_cast<std::uint64_t>(info.st_size);
    return absl::OkStatus();
  }

  const std::string path_;
  const std::uint64_t inode_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace

std::unique_ptr<FileBytes> DirectoryStore::Open(const TextFile& file) {
  return std::make_unique<OpenFile>(Locate(file), file.identity);
}

}  // namespace millrace
