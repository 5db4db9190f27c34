// How records of custom connectors cross to the runner and back: texts as they are, everything else by its Codec.
// Stateless.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "millrace/codec.h"

namespace millrace::detail {

template <class T>
inline constexpr bool kIsPlainText = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;

// A view of the value's bytes, in `buffer` or in the value itself.
template <class T>
std::string_view ValueBytes(const T& value, std::string& buffer) {
  if constexpr (kIsPlainText<T>) {
    return value;
  } else {
    buffer.clear();
    ByteWriter out(buffer);
    Encode(value, out);
    return buffer;
  }
}

// Views in the value point into `bytes`.
template <class T>
T FromValueBytes(std::string_view bytes) {
  if constexpr (kIsPlainText<T>) {
    return T(bytes);
  } else {
    return FromBytes<T>(bytes);
  }
}

}  // namespace millrace::detail
