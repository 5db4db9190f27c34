// Reads ranges of whole lines from one file of the files source. See source.h for the contract of Close and Read.
//
// One thread at a time. The file is opened at the first use and closed at its end; a missing or replaced file is
// DataLoss.
#pragma once

#include <memory>
#include <string>

#include "executor/connectors/source.h"
#include "executor/connectors/text_files.h"

namespace millrace {

class TextFileReader : public SplitReader {
 public:
  TextFileReader(std::string directory, TextFile file);
  ~TextFileReader() override;
  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override;
  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override;

 private:
  absl::Status Open();
  void CloseFile();
  absl::StatusOr<std::uint64_t> Position(std::string_view text) const;
  // Bytes [from, from + size) of the file, all of them.
  absl::StatusOr<std::string> ReadBytes(std::uint64_t from, std::uint64_t size) const;
  // Whole lines from `from` on: about kCloseBytes, more when a single line is longer.
  absl::StatusOr<std::string> ReadLines(std::uint64_t from) const;

  const TextFile file_;
  const std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;  // when it was opened
  bool read_to_end_ = false;
};

}  // namespace millrace
