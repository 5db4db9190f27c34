// An append-only file of checksummed records. A record is: u32 length, u32 reserved (0), u64 XXH3 of the payload,
// payload; little endian. Not thread-safe: one thread writes, nobody reads meanwhile.
//
//   MR_ASSIGN_OR_RETURN(auto log, RecordLogWriter::Open(path));
//   MR_RETURN_IF_ERROR(log.Append("payload"));
//   MR_RETURN_IF_ERROR(log.Sync());              // durable from here
//
// What a crash can leave is a torn tail: a bad record with no good one behind it. It was never reported as durable and
// is cut off. A bad record with good ones behind it is damage and an error, DataLoss, for cutting there would forget
// what was promised. A power cut that loses an early page of an unsynced group and keeps a later one looks the same and
// is refused, too: better asked than lost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/file.h"
#include "common/status.h"

namespace millrace {

inline constexpr std::size_t kRecordHeaderBytes = 16;
inline constexpr std::size_t kMaxRecordBytes = std::size_t{64} << 20;

struct RecordLogContents {
  std::vector<std::string> records;
  std::uint64_t good_bytes = 0;  // where the good part ends
  bool torn = false;             // something that is no record follows the good part
};

// NotFound when there is no file; DataLoss, naming file and offset, when a record in the middle is bad.
absl::StatusOr<RecordLogContents> ReadRecordLog(const std::string& path);

// The first record alone, whatever follows it. DataLoss when it is bad.
absl::StatusOr<std::string> ReadFirstRecord(const std::string& path);

// The framed form of one record, at the end of `out`. At most kMaxRecordBytes.
void EncodeRecord(std::string_view payload, std::string& out);

class RecordLogWriter {
 public:
  // Appends after the last good record; makes the file when there is none, and cuts off a torn tail.
  static absl::StatusOr<RecordLogWriter> Open(const std::string& path);
  // Begins an empty file; what was there is gone.
  static absl::StatusOr<RecordLogWriter> Create(const std::string& path);

  // Buffers. InvalidArgument when the payload is too long; the first error of all when the writer is broken.
  absl::Status Append(std::string_view payload);

  // Writes what is buffered and waits until it is durable. When the disk is full: ResourceExhausted, the file is as it
  // was, the buffer is kept, and Sync may be called again. After any other error, and after every failed fdatasync, the
  // kernel may have dropped the pages and would report success next time: broken() is true and every later call returns
  // that error.
  absl::Status Sync();

  // Forgets what is buffered and not written.
  void Discard() { buffer_.clear(); }

  // Gives the file its final name, durably. When the name cannot be given, all is as before. When it was given, but may
  // not survive a power cut, the writer is broken.
  absl::Status MoveTo(const std::string& path);

  bool broken() const { return !broken_.ok(); }
  std::uint64_t durable_bytes() const { return durable_bytes_; }
  std::size_t buffered_bytes() const { return buffer_.size(); }
  const std::string& path() const { return path_; }

 private:
  RecordLogWriter(std::string path, Fd file, std::uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), durable_bytes_(size) {}
  absl::Status Break(absl::Status why);
  absl::Status WriteBuffer();

  std::string path_;
  Fd file_;
  std::uint64_t durable_bytes_;
  std::string buffer_;
  absl::Status broken_;
};

}  // namespace millrace
