// Uploading a job library.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <utility>

#include "client/lib/call.h"
#include "client/lib/client.h"
#include "common/io/file.h"
#include "common/io/sha256.h"

namespace millrace {
namespace {

constexpr std::size_t kChunkBytes = 1 << 20;
constexpr std::uint64_t kLibraryBytesMax = std::uint64_t{512} << 20;

// A job library on disk. It is read twice, for its hash and for the upload; the driver compares.
class Library {
 public:
  static absl::StatusOr<Library> Open(const std::string& path) {
    auto file = OpenFile(path, O_RDONLY);
    if (!file.ok()) return Annotate(file.status(), "job library");
    Library library(path, *std::move(file));
    struct stat info {};
    if (fstat(library.file_.get(), &info) != 0) return ErrnoStatus(errno, path);
    if (!S_ISREG(info.st_mode)) return InvalidArgument("job library ", path, ": it is not a regular file");
    library.size_ = static_cast<std::uint64_t>(info.st_size);
    if (library.size_ == 0) return InvalidArgument("job library ", path, ": it is empty");
    if (library.size_ > kLibraryBytesMax) {
      return ResourceExhausted("job library ", path, ": it has ", library.size_, " bytes, but at most ",
                               kLibraryBytesMax, " are possible: strip its debug symbols");
    }
    return library;
  }

  std::uint64_t size() const { return size_; }

  // Fewer bytes than asked for only at the end of the file.
  absl::StatusOr<std::string> Read(std::uint64_t offset) const {
    std::string chunk(static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, size_ - offset)), '\0');
    for (std::size_t have = 0; have < chunk.size();) {
      const ssize_t got =
          pread(file_.get(), chunk.data() + have, chunk.size() - have, static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoStatus(errno, Concat("reading job library ", path_));
      if (got == 0)
        return DataLoss("job library ", path_,
                        ": it became shorter while it was read: submit again when it is complete");
      have += static_cast<std::size_t>(got);
    }
    return chunk;
  }

  absl::StatusOr<std::string> Hash() const {
    Sha256 hash;
    for (std::uint64_t offset = 0; offset < size_;) {
      MR_ASSIGN_OR_RETURN(const std::string chunk, Read(offset));
      hash.Update(chunk);
      offset += chunk.size();
    }
    return hash.Finish();
  }

 private:
  Library(std::string path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  Fd file_;
  std::uint64_t size_ = 0;
};

using SubmitStream = grpc::ClientReaderWriter<v1::SubmitRequest, v1::SubmitProgress>;

// A write that fails means that the driver has ended the call; its reason comes with Finish.
absl::Status Upload(const Library& library, SubmitStream& stream, const Client::ProgressCallback& progress) {
  for (std::uint64_t offset = 0; offset < library.size();) {
    MR_ASSIGN_OR_RETURN(std::string chunk, library.Read(offset));
    offset += chunk.size();
    v1::SubmitRequest request;
    request.set_chunk(std::move(chunk));
    if (!stream.Write(request)) return absl::OkStatus();
    if (progress) progress({"uploading", "", offset, library.size()});
  }
  stream.WritesDone();
  return absl::OkStatus();
}

// By which the driver knows a submission again that comes a second time.
std::string RandomName() {
  std::random_device random;
  std::string name;
  for (int i = 0; i < 4; ++i) name += Concat(i == 0 ? "" : "-", random());
  return name;
}

}  // namespace

absl::StatusOr<v1::JobStatus> Client::Submit(const std::string& path, const SubmitOptions& options,
                                             const ProgressCallback& progress) {
  MR_ASSIGN_OR_RETURN(const Library library, Library::Open(path));
  v1::SubmitRequest first;
  v1::SubmitHeader& header = *first.mutable_header();
  header.set_name(options.name);
  header.set_size_bytes(library.size());
  MR_ASSIGN_OR_RETURN(*header.mutable_sha256(), library.Hash());
  header.mutable_arguments()->insert(options.arguments.begin(), options.arguments.end());
  header.set_batch_interval_us(options.batch_interval_us);
  header.set_from(options.from);
  header.set_submission(RandomName());

  v1::JobStatus job;
  absl::Status read;
  bool again = false;
  Time deadline = Patience();
  const absl::Status reached = Reach(deadline, [&](ClientConnection& at) {
    // Time is counted from the last sign of life.
    const ProgressCallback heard = [&](const Progress& now) {
      deadline = Patience();
      if (progress) progress(now);
    };
    if (std::exchange(again, true) && progress)
      progress({"again", Concat("with driver ", at.target), 0, library.size()});
    Call call(*this);
    const auto stream = at.stub->Submit(call.context());
    if (stream->Write(first)) read = Upload(library, *stream, heard);
    if (!read.ok()) call.context()->TryCancel();
    for (v1::SubmitProgress reply; stream->Read(&reply);) {
      heard({reply.step(), reply.detail(), library.size(), library.size()});
      if (reply.has_job()) job = reply.job();
    }
    return stream->Finish();
  });
  MR_RETURN_IF_ERROR(read);
  MR_RETURN_IF_ERROR(reached);
  if (job.id().empty()) {
    return DataLoss(
        "the driver's answer ended before it named the job, which may run all the same: look for it in the list of "
        "jobs");
  }
  return job;
}

}  // namespace millrace
