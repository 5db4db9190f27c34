#include "common/io/record_log.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

namespace millrace {
namespace {

static_assert(std::endian::native == std::endian::little, "records are stored little endian");

// A group that was unusually large must not hold its memory for ever.
constexpr std::size_t kKeptBufferBytes = std::size_t{1} << 20;

template <class T>
T Load(std::string_view file, std::size_t offset) {
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

std::optional<std::string_view> RecordAt(std::string_view file, std::size_t offset) {
  if (file.size() - offset < kRecordHeaderBytes) return std::nullopt;
  const auto length = Load<std::uint32_t>(file, offset);
  const auto reserved = Load<std::uint32_t>(file, offset + 4);
  if (reserved != 0 || length > kMaxRecordBytes || length > file.size() - offset - kRecordHeaderBytes)
    return std::nullopt;
  const std::string_view payload = file.substr(offset + kRecordHeaderBytes, length);
  if (XXH3_64bits(payload.data(), payload.size()) != Load<std::uint64_t>(file, offset + 8)) return std::nullopt;
  return payload;
}

// The length of a bad record cannot be trusted, so the next good one may begin at any byte.
std::optional<std::size_t> NextGoodRecord(std::string_view file, std::size_t offset) {
  for (; offset < file.size(); ++offset) {
    if (RecordAt(file, offset)) return offset;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<RecordLogContents> ReadRecordLog(const std::string& path) {
  MR_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  RecordLogContents contents;
  std::size_t offset = 0;
  while (offset < file.size()) {
    const auto payload = RecordAt(file, offset);
    if (!payload) break;
    contents.records.emplace_back(*payload);
    offset += kRecordHeaderBytes + payload->size();
  }
  contents.good_bytes = offset;
  contents.torn = offset < file.size();
  if (contents.torn) {
    if (const auto next = NextGoodRecord(file, offset + 1)) {
      return DataLoss("log ", path, " is damaged: the record at offset ", offset,
                      " does not match its checksum, but a good one follows at offset ", *next,
                      "; restore the file from a copy, or cut it at that offset if what follows may be lost");
    }
  }
  return contents;
}

absl::StatusOr<std::string> ReadFirstRecord(const std::string& path) {
  MR_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  const auto payload = RecordAt(file, 0);
  if (!payload) return DataLoss("log ", path, " is damaged: its first record does not match its checksum");
  return std::string(*payload);
}

void EncodeRecord(std::string_view payload, std::string& out) {
  MR_CHECK(payload.size() <= kMaxRecordBytes);
  const auto length = static_cast<std::uint32_t>(payload.size());
  const std::uint32_t reserved = 0;
  const std::uint64_t hash = XXH3_64bits(payload.data(), payload.size());
  char header[kRecordHeaderBytes];
  std::memcpy(header, &length, sizeof length);
  std::memcpy(header + 4, &reserved, sizeof reserved);
  std::memcpy(header + 8, &hash, sizeof hash);
  out.append(header, sizeof header).append(payload);
}

absl::StatusOr<RecordLogWriter> RecordLogWriter::Open(const std::string& path) {
  auto contents = ReadRecordLog(path);
  if (absl::IsNotFound(contents.status())) {
    MR_ASSIGN_OR_RETURN(RecordLogWriter made, Create(path));
    MR_RETURN_IF_ERROR(SyncDirectory(ParentDirectory(path)));
    return made;
  }
  MR_RETURN_IF_ERROR(contents.status());
  MR_ASSIGN_OR_RETURN(Fd file, OpenFile(path, O_WRONLY));
  if (contents->torn) {
    if (::ftruncate(file.get(), static_cast<off_t>(contents->good_bytes)) != 0) {
      return ErrnoStatus(errno, Concat("cannot cut the torn tail off ", path));
    }
    MR_RETURN_IF_ERROR(SyncData(file, path));
  }
  return RecordLogWriter(path, std::move(file), contents->good_bytes);
}

absl::StatusOr<RecordLogWriter> RecordLogWriter::Create(const std::string& path) {
  MR_ASSIGN_OR_RETURN(Fd file, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC));
  return RecordLogWriter(path, std::move(file), 0);
}

absl::Status RecordLogWriter::Append(std::string_view payload) {
  if (broken()) return broken_;
  if (payload.size() > kMaxRecordBytes) {
    return InvalidArgument("record of ", payload.size(), " bytes for ", path_, " is longer than the limit of ",
                           kMaxRecordBytes);
  }
  EncodeRecord(payload, buffer_);
  return absl::OkStatus();
}

absl::Status RecordLogWriter::Sync() {
  if (broken()) return broken_;
  if (buffer_.empty()) return absl::OkStatus();
  MR_RETURN_IF_ERROR(WriteBuffer());
  if (absl::Status status = SyncData(file_, path_); !status.ok()) return Break(std::move(status));
  durable_bytes_ += buffer_.size();
  buffer_.clear();
  if (buffer_.capacity() > kKeptBufferBytes) buffer_.shrink_to_fit();
  return absl::OkStatus();
}

absl::Status RecordLogWriter::WriteBuffer() {
  absl::Status status = WriteAt(file_, buffer_, durable_bytes_, path_);
  if (status.ok()) return status;
  if (!absl::IsResourceExhausted(status)) return Break(std::move(status));
  if (::ftruncate(file_.get(), static_cast<off_t>(durable_bytes_)) != 0) {
    return Break(ErrnoStatus(errno, Concat("cannot take back a partial write to ", path_)));
  }
  return status;
}

absl::Status RecordLogWriter::MoveTo(const std::string& path) {
  if (broken()) return broken_;
  if (::rename(path_.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, Concat("cannot rename to ", path));
  path_ = path;
  if (absl::Status status = SyncDirectory(ParentDirectory(path)); !status.ok()) return Break(std::move(status));
  return absl::OkStatus();
}

absl::Status RecordLogWriter::Break(absl::Status why) {
  broken_ = std::move(why);
  return broken_;
}

}  // namespace millrace
