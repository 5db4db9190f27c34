// The notations of the CQL native protocol, version 4: big-endian numbers, and texts and bytes after their length.
//
//   WireWriter out;  out.Int(3).String("CQL_VERSION");
//   WireReader in(body);  const std::string_view name = in.String();  if (in.failed()) …
//
// A reader never reads past its end: from the first thing that does not fit it is failed, and gives zeros and empty
// texts. What it gives points into the bytes it reads. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::cassandra {

// Lengths that stand for no value.
inline constexpr std::int32_t kNullLength = -1;
inline constexpr std::int32_t kUnsetLength = -2;  // in a bound value alone: the column is left as it is

class WireWriter {
 public:
  WireWriter() = default;
  explicit WireWriter(std::string start) : out_(std::move(start)) {}

  WireWriter& Byte(std::uint8_t value) { return Number(value); }
  WireWriter& Short(std::uint16_t value) { return Number(value); }
  WireWriter& Int(std::int32_t value) { return Number(static_cast<std::uint32_t>(value)); }
  WireWriter& Long(std::int64_t value) { return Number(static_cast<std::uint64_t>(value)); }
  WireWriter& Raw(std::string_view bytes) {
    out_ += bytes;
    return *this;
  }
  // Texts of at most 65,535 bytes; a longer one is cut.
  WireWriter& String(std::string_view text) {
    text = text.substr(0, 0xffff);
    return Short(static_cast<std::uint16_t>(text.size())).Raw(text);
  }
  WireWriter& LongString(std::string_view text) { return Int(static_cast<std::int32_t>(text.size())).Raw(text); }
  WireWriter& Bytes(std::string_view bytes) { return LongString(bytes); }
  WireWriter& Null() { return Int(kNullLength); }
  WireWriter& Unset() { return Int(kUnsetLength); }

  std::string Take() { return std::move(out_); }
  const std::string& bytes() const { return out_; }

 private:
  template <class U>
  WireWriter& Number(U value) {
    for (int shift = static_cast<int>(sizeof(U)) * 8 - 8; shift >= 0; shift -= 8) {
      out_.push_back(static_cast<char>(value >> shift));
    }
    return *this;
  }
  std::string out_;
};

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}

  std::uint8_t Byte() { return Number<std::uint8_t>(); }
  std::uint16_t Short() { return Number<std::uint16_t>(); }
  std::int32_t Int() { return static_cast<std::int32_t>(Number<std::uint32_t>()); }
  std::int64_t Long() { return static_cast<std::int64_t>(Number<std::uint64_t>()); }
  std::string_view Raw(std::size_t size) {
    if (size > left_.size()) {
      Fail();
      return {};
    }
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  std::string_view String() { return Raw(Short()); }
  std::string_view ShortBytes() { return Raw(Short()); }
  // nullopt: null.
  std::optional<std::string_view> Bytes() {
    const std::int32_t size = Int();
    if (size < 0) return std::nullopt;
    return Raw(static_cast<std::size_t>(size));
  }

  bool failed() const { return failed_; }
  bool at_end() const { return left_.empty() && !failed_; }
  std::size_t left() const { return left_.size(); }
  void Fail() {
    failed_ = true;
    left_ = {};
  }

 private:
  template <class U>
  U Number() {
    const std::string_view bytes = Raw(sizeof(U));
    U value = 0;
    for (const char c : bytes)
      value = static_cast<U>((static_cast<std::uint64_t>(value) << 8) | static_cast<std::uint8_t>(c));
    return value;
  }
  std::string_view left_;
  bool failed_ = false;
};

}  // namespace millrace::cassandra
