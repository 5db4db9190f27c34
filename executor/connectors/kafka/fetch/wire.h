// Kafka's primitive types on the wire: big-endian numbers, texts with a length in front, zigzag varints.
//
//   WireWriter out;                       WireReader in(bytes);
//   out.I32(7).Text("topic");             const std::int32_t n = in.I32(); … if (!in.ok()) …
//
// A reader that runs past its end gives zeros and empty texts from then on and says so in ok(): check it once, behind
// everything that was read, and before a number is used as a size. One thread. Source: Kafka protocol guide.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::kafka {

template <class T>
T FromBigEndian(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  static_assert(std::endian::native == std::endian::little);
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  return value;
}

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  std::int8_t I8() { return Number<std::int8_t>(); }
  std::int16_t I16() { return Number<std::int16_t>(); }
  std::int32_t I32() { return Number<std::int32_t>(); }
  std::int64_t I64() { return Number<std::int64_t>(); }
  std::string_view Bytes(std::size_t size) {
    if (size > left()) return Fail();
    const std::string_view bytes(at_, size);
    at_ += size;
    return bytes;
  }
  // With a length of two or four bytes in front; one below zero means that there is none.
  std::string_view Text() { return Sized(I16()); }
  std::string_view LongBytes() { return Sized(I32()); }
  // Zigzag. Most are one byte.
  std::int64_t Varint() {
    if (at_ < end_ && static_cast<unsigned char>(*at_) < 0x80) return Unzigzag(static_cast<unsigned char>(*at_++));
    return LongVarint();
  }

 private:
  template <class T>
  T Number() {
    const std::string_view bytes = Bytes(sizeof(T));
    return ok_ ? FromBigEndian<T>(bytes.data()) : T{};
  }
  std::string_view Sized(std::int64_t size) {
    return size <= 0 ? std::string_view() : Bytes(static_cast<std::size_t>(size));
  }
  static std::int64_t Unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  std::int64_t LongVarint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && at_ < end_; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return Unzigzag(value);
    }
    Fail();
    return 0;
  }
  std::string_view Fail() {
    ok_ = false;
    at_ = end_;
    return {};
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

class WireWriter {
 public:
  WireWriter& I8(std::int8_t value) { return Number(value); }
  WireWriter& I16(std::int16_t value) { return Number(value); }
  WireWriter& I32(std::int32_t value) { return Number(value); }
  WireWriter& I64(std::int64_t value) { return Number(value); }
  WireWriter& Text(std::string_view text) {
    I16(static_cast<std::int16_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  WireWriter& LongBytes(std::string_view bytes) {
    I32(static_cast<std::int32_t>(bytes.size()));
    bytes_ += bytes;
    return *this;
  }
  // Overwrites a number that was written before.
  void SetI32(std::size_t at, std::int32_t value) {
    const std::int32_t big = FromBigEndian<std::int32_t>(reinterpret_cast<const char*>(&value));
    std::memcpy(bytes_.data() + at, &big, sizeof big);
  }
  std::size_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }

 private:
  template <class T>
  WireWriter& Number(T value) {
    const T big = FromBigEndian<T>(reinterpret_cast<const char*>(&value));
    bytes_.append(reinterpret_cast<const char*>(&big), sizeof big);
    return *this;
  }
  std::string bytes_;
};

}  // namespace millrace::kafka
