// Reads ranges of whole lines from one file of the files source. See source.h for the contract of Close and Read.
//
// One thread at a time. What is open is let go of at the end of the file. Errors are those of its bytes.
#pragma once

#include <memory>
#include <string>

#include "executor/connectors/files/file_store.h"
#include "executor/connectors/source.h"

namespace millrace {

class TextFileReader : public SplitReader {
 public:
  // `path`: what records say that they come from; `name`: for messages.
  TextFileReader(std::unique_ptr<FileBytes> bytes, std::string path, std::string name)
      : bytes_(std::move(bytes)), path_(std::move(path)), name_(std::move(name)) {}

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override;
  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override;

 private:
  absl::StatusOr<std::uint64_t> Position(std::string_view text) const;
  // Whole lines from `from` on: about kCloseBytes, more when a single line is longer. `ended`: the file ends with them.
  absl::StatusOr<std::string> ReadLines(std::uint64_t from, bool& ended);

  const std::unique_ptr<FileBytes> bytes_;
  const std::string path_;
  const std::string name_;
  std::string end_;  // the position behind the last line, once it was reached
};

}  // namespace millrace
