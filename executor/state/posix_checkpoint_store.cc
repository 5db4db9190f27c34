#include "executor/state/posix_checkpoint_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "common/io/file.h"
#include "common/io/sha256.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr auto kAbandonedAfter = std::chrono::hours(24);
constexpr int kPublishAttempts = 100;

std::string RandomName() {
  std::random_device random;
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(random()));
  return ToHex(bytes);
}

// Moves a file to a name that must be free.
int RenameNew(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // Network file systems know no such rename, but a second link to a file is refused where there is one.
  if (::link(from.c_str(), to.c_str()) != 0) return errno;
  ::unlink(from.c_str());
  return 0;
}

class PosixWriter final : public CheckpointWriter {
 public:
  PosixWriter(std::string path, std::string temporary, Fd file, bool durable)
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)), durable_(durable) {}
  ~PosixWriter() override {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  absl::Status Append(std::string_view data) override {
    MR_RETURN_IF_ERROR(ended_);
    if (absl::Status status = WriteAt(file_, data, written_, path_); !status.ok()) return End(std::move(status));
    written_ += data.size();
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    MR_RETURN_IF_ERROR(ended_);
    absl::Status status = Publish();
    file_.Reset();
    ended_ = FailedPrecondition("checkpoint file ", path_, " was committed already");
    if (!status.ok()) return End(std::move(status));
    temporary_.clear();
    return absl::OkStatus();
  }

 private:
  absl::Status Publish() {
    if (durable_) MR_RETURN_IF_ERROR(SyncData(file_, path_));
    const std::string folder = ParentDirectory(path_);
    absl::Status status = MoveInto(folder);
    // Whoever deletes the last file of a folder removes the folder, too, perhaps just now.
    for (int i = 1; absl::IsNotFound(status) && i < kPublishAttempts; ++i) status = MoveInto(folder);
    MR_RETURN_IF_ERROR(status);
    return durable_ ? SyncDirectory(folder) : absl::OkStatus();
  }

  absl::Status MoveInto(const std::string& folder) {
    if (const absl::Status made = MakeDirectories(folder); !made.ok()) {
      // It was there when it was to be made, and gone when it was looked at.
      return absl::IsAlreadyExists(made) ? NotFound(Message(made)) : made;
    }
    const int failed = RenameNew(temporary_, path_);
    return failed == 0 ? absl::OkStatus()
                       : ErrnoStatus(failed, Concat("cannot give checkpoint file ", path_, " its name"));
  }

  absl::Status End(absl::Status why) {
    ::unlink(temporary_.c_str());
    temporary_.clear();
    file_.Reset();
    ended_ = why;
    return why;
  }

  const std::string path_;
  std::string temporary_;  // empty when there is none any more
  Fd file_;
  const bool durable_;
  std::uint64_t written_ = 0;
  absl::Status ended_;
};

class PosixReader final : public CheckpointReader {
 public:
  PosixReader(std::string path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}

  absl::StatusOr<std::size_t> Read(std::span<char> to) override {
    while (true) {
      const ssize_t n = ::read(file_.get(), to.data(), to.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno == EIO) return DataLoss("cannot read ", path_, ": the disk is damaged there (EIO)");
      if (errno != EINTR) return ErrnoStatus(errno, Concat("cannot read ", path_));
    }
  }

 private:
  const std::string path_;
  const Fd file_;
};

// Adds the files of a folder and of those in it; `at` is its name with a '/' at the end, or empty for the root. A
// folder that is not there has none.
absl::Status ListFolder(const std::string& root, const std::string& at, const std::string& prefix,
                        std::vector<CheckpointEntry>& found) {
  std::error_code error;
  fs::directory_iterator entries(root + "/" + at, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) return absl::OkStatus();
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = at + entries->path().filename().string();
    std::error_code gone;
    if (!CheckCheckpointName(name).ok()) continue;
    if (entries->is_directory(gone)) {
      const std::string folder = name + "/";
      if (folder.starts_with(prefix) || prefix.starts_with(folder))
        MR_RETURN_IF_ERROR(ListFolder(root, folder, prefix, found));
    } else if (name.starts_with(prefix)) {
      const std::uintmax_t bytes = entries->file_size(gone);
      if (!gone) found.push_back({name, bytes});
    }
  }
  if (error) return ErrnoStatus(error.value(), Concat("cannot list checkpoint folder ", root, "/", at));
  return absl::OkStatus();
}

}  // namespace

PosixCheckpointStore::PosixCheckpointStore(PosixCheckpointStoreOptions options)
    : options_(std::move(options)), temporaries_(options_.root + "/.tmp"), unique_(RandomName()) {}

absl::StatusOr<std::unique_ptr<PosixCheckpointStore>> PosixCheckpointStore::Make(PosixCheckpointStoreOptions options) {
  auto store = std::unique_ptr<PosixCheckpointStore>(new PosixCheckpointStore(std::move(options)));
  MR_RETURN_IF_ERROR(MakeDirectories(store->temporaries_));
  return store;
}

absl::StatusOr<std::unique_ptr<CheckpointWriter>> PosixCheckpointStore::Put(const std::string& name) {
  MR_RETURN_IF_ERROR(CheckCheckpointName(name));
  const std::string temporary = Concat(temporaries_, "/", unique_, "-", next_temporary_++);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL;
  auto file = OpenFile(temporary, kFlags);
  if (absl::IsNotFound(file.status())) {  // someone has cleaned the folder
    MR_RETURN_IF_ERROR(MakeDirectories(temporaries_));
    file = OpenFile(temporary, kFlags);
  }
  MR_RETURN_IF_ERROR(file.status());
  return std::make_unique<PosixWriter>(Locate(name), temporary, *std::move(file), options_.durable);
}

absl::StatusOr<std::unique_ptr<CheckpointReader>> PosixCheckpointStore::Open(const std::string& name) {
  MR_RETURN_IF_ERROR(CheckCheckpointName(name));
  const std::string path = Locate(name);
  MR_ASSIGN_OR_RETURN(Fd file, OpenFile(path, O_RDONLY));
  (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return std::make_unique<PosixReader>(path, std::move(file));
}

absl::Status PosixCheckpointStore::Delete(const std::string& name) {
  MR_RETURN_IF_ERROR(CheckCheckpointName(name));
  MR_RETURN_IF_ERROR(RemoveFile(Locate(name)));
  // Folders that nothing is in any more; the others refuse.
  for (std::size_t slash = name.rfind('/'); slash != std::string::npos; slash = name.rfind('/', slash - 1)) {
    if (::rmdir(Locate(name.substr(0, slash)).c_str()) != 0) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CheckpointEntry>> PosixCheckpointStore::List(const std::string& prefix) {
  std::vector<CheckpointEntry> found;
  MR_RETURN_IF_ERROR(ListFolder(options_.root, "", prefix, found));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

absl::Status PosixCheckpointStore::RemoveAbandoned() {
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  fs::directory_iterator entries(temporaries_, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code gone;
    const auto written = entries->last_write_time(gone);
    if (!gone && now - written > kAbandonedAfter) fs::remove(entries->path(), gone);
  }
  if (!error || error == std::errc::no_such_file_or_directory) return absl::OkStatus();
  return ErrnoStatus(error.value(), Concat("cannot list ", temporaries_));
}

std::string PosixCheckpointStore::Locate(const std::string& name) const { return Concat(options_.root, "/", name); }

}  // namespace millrace
