// One entry of a receiver's log: records that were stored together, as bytes with a checksum.
//
//   std::string bytes = EncodeEntry(writer_id, records);
//   MR_ASSIGN_OR_RETURN(const auto entry, Entry::Parse("received/…/17.log", std::move(bytes)));
//
// The form, little endian: "MRE1", u64 XXH3 of all that follows, u64 writer, u32 number of records; for each record u32
// sizes of key, value, topic and id, i64 timestamp, u32 number of headers, then those bytes; for each header u32 sizes
// of name and value and their bytes. Thread rule: immutable, any thread. Errors: DataLoss names the file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/receiver.h"
#include "millrace/engine.h"

namespace millrace::received {

// What a record takes in an entry.
std::size_t EncodedBytes(const ReceivedRecord& record);
std::string EncodeEntry(std::uint64_t writer, std::span<const ReceivedRecord* const> records);

class Entry {
 public:
  // `number`: of the entry; makes the records' positions.
  static absl::StatusOr<std::shared_ptr<const Entry>> Parse(const std::string& file, std::uint64_t number,
                                                            std::string bytes);
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  std::uint64_t writer() const { return writer_; }
  // Their views live as long as the entry.
  std::span<const engine::SourceRecord> records() const { return records_; }
  std::span<const std::string_view> ids() const { return ids_; }  // of those that have one
  std::size_t bytes() const { return bytes_.size(); }

 private:
  explicit Entry(std::string bytes) : bytes_(std::move(bytes)) {}
  bool Read(std::uint64_t number);

  const std::string bytes_;
  std::uint64_t writer_ = 0;
  std::vector<engine::SourceRecord> records_;
  std::vector<engine::Header> headers_;
  std::vector<std::string_view> ids_;
};

}  // namespace millrace::received
