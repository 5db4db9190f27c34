// ByteWriter and ByteReader: the two ends of an encoded value. A Codec writes with one and reads with the other.
//
// The format has no type tags: what was written as X is read as X. Integers are varints (seven bits a byte, low bits
// first), signed ones zigzag first; a text is its length and its bytes. Errors: every read is checked against the end
// of the data. Damaged data throws CodecError; nothing is read out of bounds. Ownership: a ByteReader points into the
// caller's data; views it returns live as long as that data. One thread at a time.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

namespace millrace {

// Encoded data is damaged, or was written as another type.
class CodecError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ByteWriter {
 public:
  // Appends to `out`, which must outlive the writer.
  explicit ByteWriter(std::string& out) : out_(out) {}

  void Byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void Bytes(std::string_view bytes) { out_.append(bytes); }

  void Varint(std::uint64_t value) {
    if (value < 0x80) return Byte(static_cast<std::uint8_t>(value));
    char bytes[10];
    std::size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes, size);
  }

  void Signed(std::int64_t value) {
    Varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }

  void Text(std::string_view text) {
    Varint(text.size());
    Bytes(text);
  }

  // Little endian.
  void Fixed32(std::uint32_t value) { Fixed(value); }
  void Fixed64(std::uint64_t value) { Fixed(value); }

 private:
  template <class T>
  void Fixed(T value) {
    char bytes[sizeof value];
    for (char& byte : bytes) {
      byte = static_cast<char>(value);
      value = static_cast<T>(value >> 8);
    }
    out_.append(bytes, sizeof bytes);
  }

  std::string& out_;
};

class ByteReader {
 public:
  // `data` must outlive the reader and every view read from it.
  explicit ByteReader(std::string_view data) : at_(data.data()), end_(data.data() + data.size()) {}

  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  bool empty() const { return at_ == end_; }

  std::uint8_t Byte() {
    if (at_ == end_) Fail("it ends inside a value");
    return static_cast<std::uint8_t>(*at_++);
  }

  std::string_view Bytes(std::uint64_t size) {
    if (size > remaining()) Fail("it ends inside a text");
    const std::string_view bytes(at_, static_cast<std::size_t>(size));
    at_ += size;
    return bytes;
  }

  std::uint64_t Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = Byte();
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    Fail("a number is longer than 64 bits");
  }

  std::int64_t Signed() {
    const std::uint64_t value = Varint();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }

  std::string_view Text() { return Bytes(Varint()); }

  std::uint32_t Fixed32() { return Fixed<std::uint32_t>(); }
  std::uint64_t Fixed64() { return Fixed<std::uint64_t>(); }

  // A number of values. Every value takes at least one byte, so more values than bytes is damage, found before memory
  // is asked for.
  std::size_t Count() {
    const std::uint64_t count = Varint();
    if (count > remaining()) Fail("it names more values than it has bytes");
    return static_cast<std::size_t>(count);
  }

  [[noreturn]] static void Fail(const char* why) {
    throw CodecError(std::string("encoded data is damaged or of another type: ") + why);
  }

  // Held while a struct is read: structs may hold structs, but damaged data must not use up the stack.
  class Nested {
   public:
    explicit Nested(ByteReader& reader) : reader_(reader) {
      if (++reader_.depth_ > kMaxDepth) Fail("its structs are nested deeper than 500");
    }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    ~Nested() { --reader_.depth_; }

   private:
    ByteReader& reader_;
  };

 private:
  static constexpr int kMaxDepth = 500;

  template <class T>
  T Fixed() {
    const std::string_view bytes = Bytes(sizeof(T));
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value |= static_cast<T>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
    }
    return value;
  }

  const char* at_;
  const char* end_;
  int depth_ = 0;
};

}  // namespace millrace
