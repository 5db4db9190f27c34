// The uncompressed bytes of a file that is compressed with gzip or zstd, also one of several members or frames.
// Positions are those of the uncompressed bytes. Reading on is cheap, and so is going back into what was read last, as
// a reader of lines does each time. To go back further means to begin at the front again.
//
// One thread at a time. DataLoss names the file and the byte of it where it is damaged, or says that it ends too early.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "executor/connectors/files/file_store.h"

namespace millrace {

enum class FileCodec { kNone, kGzip, kZstd };

// By the end of the name: ".gz", ".zst".
FileCodec CodecOf(std::string_view path);

// Makes uncompressed bytes of compressed ones, piece by piece.
class Inflater {
 public:
  virtual ~Inflater() = default;
  // Takes from `in` and appends to `out` until one of them is used up: `out` grows to at most `size`.
  virtual absl::Status Inflate(std::string_view& in, std::string& out, std::size_t size) = 0;
  // Whether the bytes so far end where a file may end.
  virtual bool complete() const = 0;
};
std::unique_ptr<Inflater> NewInflater(FileCodec codec);

class InflatedBytes final : public FileBytes {
 public:
  // `name` is for messages.
  InflatedBytes(std::unique_ptr<FileBytes> raw, FileCodec codec, std::string name)
      : raw_(std::move(raw)), codec_(codec), name_(std::move(name)) {}

  absl::StatusOr<std::string> Read(std::uint64_t from, std::uint64_t size) override;
  void Release() override;

 private:
  // Appends what comes next, until `out` has `size` bytes or the file ends.
  absl::Status Next(std::string& out, std::size_t size);

  const std::unique_ptr<FileBytes> raw_;
  const FileCodec codec_;
  const std::string name_;
  std::unique_ptr<Inflater> inflater_;  // null: at the front
  std::uint64_t position_ = 0;          // of uncompressed bytes: behind last_
  std::string last_;                    // what the last Read gave
  std::uint64_t raw_position_ = 0;      // behind piece_
  std::string piece_;
  std::string_view rest_;  // of piece_
  bool raw_ended_ = false;
};

}  // namespace millrace
