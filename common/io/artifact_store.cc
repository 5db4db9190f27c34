#include "common/io/artifact_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace millrace {
namespace {

constexpr std::string_view kTemporarySuffix = ".part";
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

std::string TemporaryName() {
  static std::atomic<std::uint64_t> next{0};
  return Concat("upload-", ::getpid(), "-", next.fetch_add(1), kTemporarySuffix);
}

absl::Status RemoveTemporaries(const std::string& dir) {
  std::error_code error;
  std::filesystem::directory_iterator entries(dir, error);
  std::vector<std::string> leftovers;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string path = entries->path().string();
    if (path.ends_with(kTemporarySuffix)) leftovers.push_back(path);
  }
  if (error) return ErrnoStatus(error.value(), Concat("cannot list ", dir));
  for (const auto& path : leftovers) MR_RETURN_IF_ERROR(RemoveFile(path));
  return absl::OkStatus();
}

}  // namespace

ArtifactUpload::ArtifactUpload(std::string final_path, std::string temporary_path, Fd file, std::uint64_t size,
                               std::string sha256)
    : final_path_(std::move(final_path)),
      temporary_path_(std::move(temporary_path)),
      file_(std::move(file)),
      size_(size),
      sha256_(std::move(sha256)) {}

ArtifactUpload::ArtifactUpload(ArtifactUpload&& other) noexcept
    : final_path_(std::move(other.final_path_)),
      temporary_path_(std::exchange(other.temporary_path_, {})),
      file_(std::move(other.file_)),
      size_(other.size_),
      received_(other.received_),
      sha256_(std::move(other.sha256_)),
      hash_(std::move(other.hash_)),
      failed_(std::move(other.failed_)) {}

ArtifactUpload::~ArtifactUpload() {
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
}

absl::Status ArtifactUpload::Append(std::string_view chunk) {
  MR_RETURN_IF_ERROR(failed_);
  if (temporary_path_.empty())
    return FailedPrecondition("upload of ", final_path_, " is finished and takes no more data");
  if (chunk.size() > size_ - received_) {
    return Fail(InvalidArgument("upload has more than the ", size_, " bytes that were announced"));
  }
  if (absl::Status status = WriteAt(file_, chunk, received_, temporary_path_); !status.ok())
    return Fail(std::move(status));
  hash_.Update(chunk);
  received_ += chunk.size();
  return absl::OkStatus();
}

absl::Status ArtifactUpload::Finish() {
  MR_RETURN_IF_ERROR(failed_);
  if (temporary_path_.empty()) return FailedPrecondition("upload of ", final_path_, " is finished already");
  if (received_ < size_)
    return Fail(DataLoss("upload ended after ", received_, " of ", size_, " bytes; send it again"));
  if (const std::string actual = hash_.Finish(); actual != sha256_) {
    return Fail(DataLoss("upload has SHA-256 ", ToHex(actual), ", announced was ", ToHex(sha256_), "; send it again"));
  }
  if (absl::Status status = SyncData(file_, temporary_path_); !status.ok()) return Fail(std::move(status));
  if (absl::Status status = RenameFile(temporary_path_, final_path_); !status.ok()) return Fail(std::move(status));
  temporary_path_.clear();
  file_.Reset();
  return absl::OkStatus();
}

absl::Status ArtifactUpload::Fail(absl::Status why) {
  ::unlink(temporary_path_.c_str());
  temporary_path_.clear();
  file_.Reset();
  failed_ = std::move(why);
  return failed_;
}

absl::StatusOr<ArtifactStore> ArtifactStore::Open(const std::string& dir) {
  MR_RETURN_IF_ERROR(MakeDirectories(dir));
  MR_RETURN_IF_ERROR(RemoveTemporaries(dir));
  return ArtifactStore(dir);
}

absl::StatusOr<ArtifactUpload> ArtifactStore::Begin(std::uint64_t size, std::string_view sha256) const {
  if (sha256.size() != kSha256Bytes) {
    return InvalidArgument("SHA-256 of an artifact must be ", kSha256Bytes, " bytes, not ", sha256.size());
  }
  if (size == 0 || size > kMaxArtifactBytes) {
    return InvalidArgument("artifact of ", size, " bytes: the size must be 1 to ", kMaxArtifactBytes, " bytes");
  }
  std::string temporary = Concat(dir_, "/", TemporaryName());
  MR_ASSIGN_OR_RETURN(Fd file, OpenFile(temporary, O_WRONLY | O_CREAT | O_EXCL));
  return ArtifactUpload(Path(sha256), std::move(temporary), std::move(file), size, std::string(sha256));
}

bool ArtifactStore::Has(std::string_view sha256) const {
  return sha256.size() == kSha256Bytes && ::access(Path(sha256).c_str(), R_OK) == 0;
}

std::string ArtifactStore::Path(std::string_view sha256) const { return Concat(dir_, "/", ToHex(sha256)); }

absl::Status ArtifactStore::Verify(std::string_view sha256) const {
  const std::string path = Path(sha256);
  MR_ASSIGN_OR_RETURN(const Fd file, OpenFile(path, O_RDONLY));
  Sha256 hash;
  std::string buffer(kReadBytes, '\0');
  while (true) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, Concat("cannot read ", path));
    if (n == 0) break;
    hash.Update(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
  }
  if (const std::string actual = hash.Finish(); actual != sha256) {
    return DataLoss("artifact ", path, " is damaged: its content has SHA-256 ", ToHex(actual),
                    "; remove it and submit it again");
  }
  return absl::OkStatus();
}

absl::Status ArtifactStore::Remove(std::string_view sha256) const { return RemoveFile(Path(sha256)); }

}  // namespace millrace
