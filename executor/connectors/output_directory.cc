#include "executor/connectors/output_directory.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "common/status.h"
#include "executor/connectors/files/batch_name.h"

namespace millrace {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int Close() { return fd_ < 0 ? 0 : close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

int WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

// The errno of writing and syncing the text, 0 when it is safe.
int WriteText(Descriptor& file, RowText text) {
  for (std::string piece; text.Next(piece);) {
    if (const int error = WriteAll(file.get(), piece); error != 0) return error;
  }
  if (fsync(file.get()) != 0) return errno;
  return file.Close() == 0 ? 0 : errno;  // some file systems tell a full disk only here
}

// Like rename, but an existing target stays. File systems that lack the flag get a check and a plain rename: the
// target, if there is one, was made from the same input and has the same bytes.
int RenameNew(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (access(to.c_str(), F_OK) == 0) return EEXIST;
  return rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

OutputDirectory::OutputDirectory(std::string path) : path_(std::move(path)), staging_(path_ + "/.staging") {}

std::string OutputDirectory::Staged(std::string_view name) const { return Concat(staging_, "/", name); }

absl::Status OutputDirectory::Create() const {
  std::error_code error;
  std::filesystem::create_directories(staging_, error);
  if (error) return ErrnoStatus(error.value(), Concat("creating output directory '", staging_, "'"));
  return absl::OkStatus();
}

absl::Status OutputDirectory::SyncDirectory(const std::string& path) const {
  Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0)
    return ErrnoStatus(errno, Concat("syncing directory '", path, "'"));
  return absl::OkStatus();
}

absl::Status OutputDirectory::Claim(std::string_view sink, std::string_view job_id) {
  MR_RETURN_IF_ERROR(Create());
  const std::string owner = Staged(Concat(sink, ".job"));
  // Two attempts: between our look and our write another partition of the same job may have claimed it.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (std::ifstream in(owner); in) {
      std::string found;
      std::getline(in, found);
      if (found == job_id) return absl::OkStatus();
      return FailedPrecondition("directory '", path_, "' holds the output that job ", found, " made with sink '", sink,
                                "'; give job ", job_id, " a directory of its own, or move the old output and '", owner,
                                "' away");
    }
    const std::string mine = Staged(Concat(sink, ".job.", static_cast<std::uint64_t>(getpid()), ".",
                                           static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(this))));
    Descriptor file(open(mine.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return ErrnoStatus(errno, Concat("writing '", mine, "'"));
    int failed = WriteAll(file.get(), Concat(job_id, "\n"));
    if (failed == 0 && fsync(file.get()) != 0) failed = errno;
    if (failed == 0) failed = RenameNew(mine, owner);
    if (failed == 0) return SyncDirectory(staging_);
    unlink(mine.c_str());
    if (failed != EEXIST) return ErrnoStatus(failed, Concat("writing '", owner, "'"));
  }
  return Unavailable("directory '", path_, "': '", owner, "' comes and goes; another program works on it");
}

absl::StatusOr<std::uint64_t> OutputDirectory::HighestBatch(std::string_view prefix, std::string_view suffix) {
  std::uint64_t highest = 0;
  std::error_code error;
  std::filesystem::directory_iterator entries(path_, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error))
    highest = std::max(highest, BatchOf(entries->path().filename().string(), prefix, suffix));
  if (error) return ErrnoStatus(error.value(), Concat("listing output directory '", path_, "'"));
  return highest;
}

absl::Status OutputDirectory::RemoveStaged(std::string_view prefix) {
  staged_.clear();
  std::error_code error;
  std::filesystem::directory_iterator entries(staging_, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    // The digits tell "a-1-2-" + batch from the files of a sink that is called "a-1".
    if (!BeginsWithBatch(name, prefix) || !name.ends_with(".tmp")) continue;
    if (unlink(entries->path().c_str()) != 0 && errno != ENOENT) {
      return ErrnoStatus(errno, Concat("removing '", entries->path().string(), "'"));
    }
  }
  if (error) return ErrnoStatus(error.value(), Concat("listing '", staging_, "'"));
  return absl::OkStatus();
}

absl::Status OutputDirectory::Stage(const std::string& name, const std::string& owner, RowText text) {
  staged_.clear();
  // With the owner in the name two owners never write into one file.
  const std::string path = Staged(Concat(name, ".", owner, ".tmp"));
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  const int failed = file.get() < 0 ? errno : WriteText(file, std::move(text));
  if (failed == 0) {
    staged_ = path;
    name_ = name;
    return absl::OkStatus();
  }
  unlink(path.c_str());
  return ErrnoStatus(failed, Concat("writing '", path, "'"));
}

absl::Status OutputDirectory::Publish() {
  MR_CHECK(!staged_.empty());
  const std::string from = std::exchange(staged_, {});
  const std::string to = Concat(path_, "/", name_);
  if (const int failed = RenameNew(from, to); failed == EEXIST) {
    unlink(from.c_str());
  } else if (failed == ENOENT) {
    return Aborted("'", from,
                   "' is gone: a newer owner of this partition has taken over, or someone cleaned the folder");
  } else if (failed != 0) {
    return ErrnoStatus(failed, Concat("renaming '", from, "' to '", to, "'"));
  }
  return SyncDirectory(path_);
}

}  // namespace millrace
