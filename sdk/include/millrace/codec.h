// Codec<T>: how a record travels between tasks. Operators that exchange records (ReduceByKey, GroupByKey, Repartition
// …) need one.
//
// Built in: integers, enums, bool, float, double, std::string, std::string_view (decodes to a view into the data),
// pair, tuple, optional, vector, array, map, unordered_map, and plain structs of those, field by field.
// <millrace/codec_protobuf.h> adds protobuf messages. Another type gets a specialisation:
//
//   template <> struct millrace::Codec<Money> {
//     static void Encode(const Money& value, ByteWriter& out) { out.Signed(value.cents()); }
//     static Money Decode(ByteReader& in) { return Money::Cents(in.Signed()); }
//   };
//
// Rules: every value takes at least one byte; equal values give equal bytes (recomputed blocks are compared with the
// first ones). Errors: Decode throws CodecError on damaged data and never reads out of bounds. Stateless: any thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "millrace/byte_stream.h"
#include "millrace/internal/plain_aggregate.h"

namespace millrace {

template <class T>
struct Codec;

template <class T>
concept Encodable = requires(const T& value, ByteWriter& out, ByteReader& in) {
  Codec<T>::Encode(value, out);
  { Codec<T>::Decode(in) } -> std::same_as<T>;
};

template <class T>
void Encode(const T& value, ByteWriter& out) {
  static_assert(Encodable<T>, "this type needs a millrace::Codec to be sent between tasks; see <millrace/codec.h>");
  Codec<T>::Encode(value, out);
}

template <class T>
T Decode(ByteReader& in) {
  static_assert(Encodable<T>, "this type needs a millrace::Codec to be sent between tasks; see <millrace/codec.h>");
  return Codec<T>::Decode(in);
}

// A value on its own, as bytes and back. FromBytes throws CodecError also when bytes are left over.
template <class T>
std::string ToBytes(const T& value) {
  std::string bytes;
  ByteWriter out(bytes);
  Encode(value, out);
  return bytes;
}
template <class T>
T FromBytes(std::string_view bytes) {
  ByteReader in(bytes);
  T value = Decode<T>(in);
  if (!in.empty()) ByteReader::Fail("bytes are left over");
  return value;
}

template <>
struct Codec<bool> {
  static void Encode(bool value, ByteWriter& out) { out.Byte(value ? 1 : 0); }
  static bool Decode(ByteReader& in) {
    const std::uint8_t byte = in.Byte();
    if (byte > 1) ByteReader::Fail("a bool is neither 0 nor 1");
    return byte == 1;
  }
};

template <std::integral T>
struct Codec<T> {
  static void Encode(T value, ByteWriter& out) {
    if constexpr (sizeof(T) == 1) {
      out.Byte(static_cast<std::uint8_t>(value));
    } else if constexpr (std::is_signed_v<T>) {
      out.Signed(value);
    } else {
      out.Varint(value);
    }
  }
  static T Decode(ByteReader& in) {
    if constexpr (sizeof(T) == 1) {
      return static_cast<T>(in.Byte());
    } else if constexpr (std::is_signed_v<T>) {
      return Narrow(in.Signed());
    } else {
      return Narrow(in.Varint());
    }
  }

 private:
  template <class Wide>
  static T Narrow(Wide wide) {
    if (static_cast<Wide>(static_cast<T>(wide)) != wide) ByteReader::Fail("a number does not fit its type");
    return static_cast<T>(wide);
  }
};

template <class T>
requires std::is_enum_v<T>
struct Codec<T> {
  using Number = std::underlying_type_t<T>;
  static void Encode(T value, ByteWriter& out) { Codec<Number>::Encode(static_cast<Number>(value), out); }
  static T Decode(ByteReader& in) { return static_cast<T>(Codec<Number>::Decode(in)); }
};

template <>
struct Codec<float> {
  static void Encode(float value, ByteWriter& out) { out.Fixed32(std::bit_cast<std::uint32_t>(value)); }
  static float Decode(ByteReader& in) { return std::bit_cast<float>(in.Fixed32()); }
};
template <>
struct Codec<double> {
  static void Encode(double value, ByteWriter& out) { out.Fixed64(std::bit_cast<std::uint64_t>(value)); }
  static double Decode(ByteReader& in) { return std::bit_cast<double>(in.Fixed64()); }
};

template <>
struct Codec<std::string_view> {
  static void Encode(std::string_view value, ByteWriter& out) { out.Text(value); }
  static std::string_view Decode(ByteReader& in) { return in.Text(); }
};
template <>
struct Codec<std::string> {
  static void Encode(const std::string& value, ByteWriter& out) { out.Text(value); }
  static std::string Decode(ByteReader& in) { return std::string(in.Text()); }
};

template <class A, class B>
struct Codec<std::pair<A, B>> {
  static void Encode(const std::pair<A, B>& value, ByteWriter& out) {
    millrace::Encode(value.first, out);
    millrace::Encode(value.second, out);
  }
  static std::pair<A, B> Decode(ByteReader& in) {
    return std::pair<A, B>{millrace::Decode<A>(in), millrace::Decode<B>(in)};  // braces: left before right
  }
};

template <class... Ts>
struct Codec<std::tuple<Ts...>> {
  static void Encode(const std::tuple<Ts...>& value, ByteWriter& out) {
    if constexpr (sizeof...(Ts) == 0) out.Byte(0);
    std::apply([&](const Ts&... parts) { (millrace::Encode(parts, out), ...); }, value);
  }
  static std::tuple<Ts...> Decode(ByteReader& in) {
    if constexpr (sizeof...(Ts) == 0) in.Byte();
    return std::tuple<Ts...>{millrace::Decode<Ts>(in)...};
  }
};

template <class T>
struct Codec<std::optional<T>> {
  static void Encode(const std::optional<T>& value, ByteWriter& out) {
    Codec<bool>::Encode(value.has_value(), out);
    if (value) millrace::Encode(*value, out);
  }
  static std::optional<T> Decode(ByteReader& in) {
    if (!Codec<bool>::Decode(in)) return std::nullopt;
    return std::optional<T>(millrace::Decode<T>(in));
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static void Encode(const std::vector<T>& value, ByteWriter& out) {
    out.Varint(value.size());
    for (const T& one : value) millrace::Encode(one, out);
  }
  static std::vector<T> Decode(ByteReader& in) {
    const std::size_t count = in.Count();
    std::vector<T> value;
    value.reserve(std::min<std::size_t>(count, 4096));  // the count may still be a lie about large elements
    for (std::size_t i = 0; i < count; ++i) value.push_back(millrace::Decode<T>(in));
    return value;
  }
};

template <class T, std::size_t N>
struct Codec<std::array<T, N>> {
  static void Encode(const std::array<T, N>& value, ByteWriter& out) {
    if constexpr (N == 0) out.Byte(0);
    for (const T& one : value) millrace::Encode(one, out);
  }
  static std::array<T, N> Decode(ByteReader& in) {
    if constexpr (N == 0) in.Byte();
    return DecodeEach(in, std::make_index_sequence<N>());
  }

 private:
  template <std::size_t... I>
  static std::array<T, N> DecodeEach(ByteReader& in, std::index_sequence<I...>) {
    return std::array<T, N>{((void)I, millrace::Decode<T>(in))...};
  }
};

template <class K, class V>
struct Codec<std::map<K, V>> {
  static void Encode(const std::map<K, V>& value, ByteWriter& out) {
    out.Varint(value.size());
    for (const auto& [key, mapped] : value) {
      millrace::Encode(key, out);
      millrace::Encode(mapped, out);
    }
  }
  static std::map<K, V> Decode(ByteReader& in) {
    std::map<K, V> value;
    for (std::size_t left = in.Count(); left > 0; --left) {
      K key = millrace::Decode<K>(in);
      V mapped = millrace::Decode<V>(in);
      if (!value.emplace(std::move(key), std::move(mapped)).second) ByteReader::Fail("a map has a key twice");
    }
    return value;
  }
};

// In the order of the encoded entries, not of the table: equal maps give equal bytes.
template <class K, class V>
struct Codec<std::unordered_map<K, V>> {
  static void Encode(const std::unordered_map<K, V>& value, ByteWriter& out) {
    std::vector<std::string> entries;
    entries.reserve(value.size());
    for (const auto& [key, mapped] : value) {
      ByteWriter entry(entries.emplace_back());
      millrace::Encode(key, entry);
      millrace::Encode(mapped, entry);
    }
    std::sort(entries.begin(), entries.end());
    out.Varint(entries.size());
    for (const std::string& entry : entries) out.Bytes(entry);
  }
  static std::unordered_map<K, V> Decode(ByteReader& in) {
    std::unordered_map<K, V> value;
    for (std::size_t left = in.Count(); left > 0; --left) {
      K key = millrace::Decode<K>(in);
      V mapped = millrace::Decode<V>(in);
      if (!value.emplace(std::move(key), std::move(mapped)).second) ByteReader::Fail("a map has a key twice");
    }
    return value;
  }
};

template <class T>
requires kPlainAggregate<T>
struct Codec<T> {
  static constexpr std::size_t kFields = boost::pfr::tuple_size_v<T>;
  static void Encode(const T& value, ByteWriter& out) {
    if constexpr (kFields == 0) {
      out.Byte(0);
    } else {
      boost::pfr::for_each_field(value, [&](const auto& field) { millrace::Encode(field, out); });
    }
  }
  static T Decode(ByteReader& in) {
    const ByteReader::Nested nested(in);
    if constexpr (kFields == 0) in.Byte();
    return DecodeFields(in, std::make_index_sequence<kFields>());
  }

 private:
  template <std::size_t... I>
  static T DecodeFields(ByteReader& in, std::index_sequence<I...>) {
    return T{millrace::Decode<boost::pfr::tuple_element_t<I, T>>(in)...};  // braces: in order
  }
};

}  // namespace millrace
