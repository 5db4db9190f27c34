#include "executor/connectors/text_file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/status.h"
#include "executor/connectors/options.h"

namespace millrace {
namespace {

constexpr std::uint64_t kCloseBytes = 8 * 1024 * 1024;
constexpr std::uint64_t kMaxLineBytes = 64 * 1024 * 1024;

// Where the line that begins at `from` ends: behind its newline, or at the end of the text.
std::size_t LineEnd(std::string_view text, std::size_t from) {
  const std::size_t newline = text.find('\n', from);
  return newline == std::string_view::npos ? text.size() : newline + 1;
}

class FileLinesBatch : public RecordBatch {
 public:
  FileLinesBatch(std::string text, std::uint64_t base, std::string topic)
      : text_(std::move(text)), base_(base), topic_(std::move(topic)) {}

  std::span<const engine::SourceRecord> Next() override {
    records_.clear();
    const std::string_view text = text_;
    while (records_.size() < engine::kChunkRecords && at_ < text.size()) {
      const std::size_t end = LineEnd(text, at_);
      engine::SourceRecord& record = records_.emplace_back();
      record.position = static_cast<std::int64_t>(base_ + at_);
      record.topic = topic_;
      record.value = text.substr(at_, end - at_);
      if (record.value.ends_with('\n')) record.value.remove_suffix(1);
      if (record.value.ends_with('\r')) record.value.remove_suffix(1);
      at_ = end;
    }
    return records_;
  }

 private:
  const std::string text_;
  const std::uint64_t base_;
  const std::string topic_;
  std::size_t at_ = 0;
  std::vector<engine::SourceRecord> records_;
};

}  // namespace

TextFileReader::TextFileReader(std::string directory, TextFile file)
    : file_(std::move(file)), path_(Concat(directory, "/", file_.path)) {}

TextFileReader::~TextFileReader() { CloseFile(); }

void TextFileReader::CloseFile() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::Status TextFileReader::Open() {
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
    CloseFile();
    return ErrnoStatus(error, Concat("opening file '", path_, "'"));
  }
  if (info.st_ino != file_.inode || !S_ISREG(info.st_mode)) {
    CloseFile();
    return DataLoss("file '", path_, "' was replaced by another (inode ", info.st_ino, " in place of ", file_.inode,
                    ") before it was read to its end");
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> TextFileReader::Position(std::string_view text) const {
  std::uint64_t value = 0;
  if (!ParseNumber(text, value)) return InvalidArgument("file '", path_, "': position '", text, "' is not a number");
  if (value > size_) {
    return DataLoss("file '", path_, "' was cut short: it has ", size_, " bytes, but position ", value,
                    " was reached before");
  }
  return value;
}

absl::StatusOr<std::string> TextFileReader::ReadBytes(std::uint64_t from, std::uint64_t size) const {
  std::string text(size, '\0');
  std::uint64_t got = 0;
  while (got < size) {
    const ssize_t n = pread(fd_, text.data() + got, size - got, static_cast<off_t>(from + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, Concat("reading file '", path_, "' at byte ", from + got));
    if (n == 0) return DataLoss("file '", path_, "' was cut short to ", from + got, " bytes while it was read");
    got += static_cast<std::uint64_t>(n);
  }
  return text;
}

absl::StatusOr<std::string> TextFileReader::ReadLines(std::uint64_t from) const {
  for (std::uint64_t want = kCloseBytes;; want *= 2) {
    const std::uint64_t size = std::min(want, size_ - from);
    MR_ASSIGN_OR_RETURN(std::string text, ReadBytes(from, size));
    if (from + size == size_) return text;
    if (const std::size_t newline = text.rfind('\n'); newline != std::string::npos) {
      text.resize(newline + 1);
      return text;
    }
    if (want >= kMaxLineBytes) {
      return FailedPrecondition("file '", path_, "': the line at byte ", from, " is longer than ", kMaxLineBytes,
                                " bytes; split it or take the file away");
    }
  }
}

absl::StatusOr<ClosedRange> TextFileReader::Close(std::string_view start, std::uint64_t max_records) {
  // Whoever put the file there may delete it once it has been read.
  if (read_to_end_ && start == std::to_string(size_)) {
    return ClosedRange{std::string(start), 0, true, std::make_unique<FileLinesBatch>("", size_, file_.path)};
  }
  MR_RETURN_IF_ERROR(Open());
  MR_ASSIGN_OR_RETURN(const std::uint64_t from, Position(start));
  MR_ASSIGN_OR_RETURN(std::string text, ReadLines(from));
  ClosedRange range;
  std::size_t end = 0;
  while (end < text.size() && (max_records == 0 || range.records < max_records)) {
    end = LineEnd(text, end);
    ++range.records;
  }
  text.resize(end);
  range.end = std::to_string(from + end);
  range.finished = from + end == size_;
  range.data = std::make_unique<FileLinesBatch>(std::move(text), from, file_.path);
  read_to_end_ = range.finished;
  if (range.finished) CloseFile();
  return range;
}

absl::StatusOr<std::unique_ptr<RecordBatch>> TextFileReader::Read(std::string_view start, std::string_view end) {
  if (start == end) return std::make_unique<FileLinesBatch>("", 0, file_.path);  // also when the file is gone
  MR_RETURN_IF_ERROR(Open());
  MR_ASSIGN_OR_RETURN(const std::uint64_t from, Position(start));
  MR_ASSIGN_OR_RETURN(const std::uint64_t to, Position(end));
  if (from > to) return InvalidArgument("file '", path_, "': range ", start, " to ", end, " runs backwards");
  MR_ASSIGN_OR_RETURN(std::string text, ReadBytes(from, to - from));
  if (to == size_) CloseFile();
  return std::make_unique<FileLinesBatch>(std::move(text), from, file_.path);
}

}  // namespace millrace
