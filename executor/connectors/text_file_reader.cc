#include "executor/connectors/text_file_reader.h"

#include <utility>

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

absl::StatusOr<std::uint64_t> TextFileReader::Position(std::string_view text) const {
  std::uint64_t value = 0;
  if (!ParseNumber(text, value)) return InvalidArgument("file '", name_, "': position '", text, "' is not a number");
  return value;
}

absl::StatusOr<std::string> TextFileReader::ReadLines(std::uint64_t from, bool& ended) {
  std::string text;
  for (std::uint64_t want = kCloseBytes;; want *= 2) {
    MR_ASSIGN_OR_RETURN(const std::string more, bytes_->Read(from + text.size(), want - text.size()));
    text += more;
    ended = text.size() < want;
    if (ended) return text;
    if (const std::size_t newline = text.rfind('\n'); newline != std::string::npos) {
      text.resize(newline + 1);
      return text;
    }
    if (want >= kMaxLineBytes) {
      return FailedPrecondition("file '", name_, "': the line at byte ", from, " is longer than ", kMaxLineBytes,
                                " bytes; split it or take the file away");
    }
  }
}

absl::StatusOr<ClosedRange> TextFileReader::Close(std::string_view start, std::uint64_t max_records) {
  // Whoever put the file there may delete it once it has been read.
  if (!end_.empty() && start == end_) {
    return ClosedRange{end_, 0, true, std::make_unique<FileLinesBatch>("", 0, path_)};
  }
  MR_ASSIGN_OR_RETURN(const std::uint64_t from, Position(start));
  bool ended = false;
  MR_ASSIGN_OR_RETURN(std::string text, ReadLines(from, ended));
  ClosedRange range;
  std::size_t end = 0;
  while (end < text.size() && (max_records == 0 || range.records < max_records)) {
    end = LineEnd(text, end);
    ++range.records;
  }
  range.finished = ended && end == text.size();
  text.resize(end);
  range.end = std::to_string(from + end);
  range.data = std::make_unique<FileLinesBatch>(std::move(text), from, path_);
  if (range.finished) {
    end_ = range.end;
    bytes_->Release();
  }
  return range;
}

absl::StatusOr<std::unique_ptr<RecordBatch>> TextFileReader::Read(std::string_view start, std::string_view end) {
  if (start == end) return std::make_unique<FileLinesBatch>("", 0, path_);  // also when the file is gone
  MR_ASSIGN_OR_RETURN(const std::uint64_t from, Position(start));
  MR_ASSIGN_OR_RETURN(const std::uint64_t to, Position(end));
  if (from > to) return InvalidArgument("file '", name_, "': range ", start, " to ", end, " runs backwards");
  MR_ASSIGN_OR_RETURN(std::string text, bytes_->Read(from, to - from));
  if (text.size() < to - from) {
    return DataLoss("file '", name_, "' was cut short: it has ", from + text.size(), " bytes, but position ", to,
                    " was reached before");
  }
  if (end == end_) bytes_->Release();
  return std::make_unique<FileLinesBatch>(std::move(text), from, path_);
}

}  // namespace millrace
