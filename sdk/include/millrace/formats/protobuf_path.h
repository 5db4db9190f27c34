// How protobuf.h finds and converts a field of a message by its path, with protobuf's reflection. Not for job authors.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/formats/format_error.h"
#include "millrace/internal/std_types.h"

namespace millrace::detail {

struct SchemaErrors : google::protobuf::DescriptorPool::ErrorCollector {
  void AddError(const std::string& file, const std::string& element, const google::protobuf::Message*, ErrorLocation,
                const std::string& message) override {
    if (text.empty()) text = file + ": " + element + ": " + message;
  }
  std::string text;
};

// Where a path leads: a field of a message, or one element of it. No message: something on the way is not there.
struct ProtobufPlace {
  const google::protobuf::Message* message = nullptr;
  const google::protobuf::FieldDescriptor* field = nullptr;
  int index = -1;  // -1: not of a repeated field
};

[[noreturn]] inline void RefuseProtobufPath(std::string_view path, const std::string& why) {
  throw std::invalid_argument("\"" + std::string(path) + "\" is no path of a protobuf field: " + why);
}

// Takes "[3]" off; -1: there is none.
inline int TakeProtobufIndex(std::string_view& rest, std::string_view path) {
  if (!rest.starts_with('[')) return -1;
  const std::size_t close = std::min(rest.find(']'), rest.size());
  int index = -1;
  const auto result = std::from_chars(rest.data() + 1, rest.data() + close, index);
  if (close == rest.size() || result.ec != std::errc() || result.ptr != rest.data() + close || index < 0) {
    RefuseProtobufPath(path, "write an element as items[0]");
  }
  rest.remove_prefix(close + 1);
  return index;
}

inline ProtobufPlace FindProtobufField(const google::protobuf::Message& root, std::string_view path) {
  const google::protobuf::Descriptor* type = root.GetDescriptor();
  const google::protobuf::Message* at = &root;
  std::string_view rest = path;
  while (true) {
    const std::string name(rest.substr(0, rest.find_first_of(".[")));
    rest.remove_prefix(name.size());
    const google::protobuf::FieldDescriptor* const field = type->FindFieldByName(name);
    if (field == nullptr) RefuseProtobufPath(path, "message " + type->full_name() + " has no field \"" + name + '"');
    const int index = TakeProtobufIndex(rest, path);
    if (index >= 0 && !field->is_repeated()) RefuseProtobufPath(path, "field " + name + " is not repeated");
    if (index >= 0 && at != nullptr && index >= at->GetReflection()->FieldSize(*at, field)) {
      at = nullptr;
    }
    if (rest.empty()) return {at, field, index};
    if (rest[0] != '.') RefuseProtobufPath(path, "write it like user.name or items[0].price");
    rest.remove_prefix(1);
    type = field->message_type();
    if (type == nullptr) RefuseProtobufPath(path, "field " + name + " is no message");
    if (field->is_repeated() && index < 0)
      RefuseProtobufPath(path, "field " + name + " is repeated: say which element");
    if (at == nullptr) continue;
    const google::protobuf::Reflection& reflection = *at->GetReflection();
    if (index >= 0) {
      at = &reflection.GetRepeatedMessage(*at, field, index);
    } else {
      at = reflection.HasField(*at, field) ? &reflection.GetMessage(*at, field) : nullptr;
    }
  }
}

template <class T, class Wide>
T NarrowProtobuf(Wide value, std::string_view path) {
  if constexpr (std::is_floating_point_v<T>) {
    if constexpr (std::is_floating_point_v<Wide>) {
      if (std::isfinite(value) && std::fabs(value) > std::numeric_limits<T>::max()) {
        throw FormatError(std::string(path), 0,
                          "a number that a float holds is needed, and there is " + std::to_string(value));
      }
    }
    return static_cast<T>(value);
  } else {
    if (!std::in_range<T>(value)) {
      throw FormatError(std::string(path), 0, IntegerWanted<T>() + " is needed, and there is " + std::to_string(value));
    }
    return static_cast<T>(value);
  }
}

// get(one, many): what reflection gives for a single field or for an element.
template <class T>
T ReadProtobufScalar(const ProtobufPlace& place, std::string_view path) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Message& message = *place.message;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const auto get = [&](auto one, auto many) {
    return place.index < 0 ? (reflection.*one)(message, place.field)
                           : (reflection.*many)(message, place.field, place.index);
  };
  using R = google::protobuf::Reflection;
  const Field::CppType kind = place.field->cpp_type();
  if constexpr (std::is_same_v<T, std::string>) {
    if (kind == Field::CPPTYPE_STRING) return get(&R::GetString, &R::GetRepeatedString);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (kind == Field::CPPTYPE_BOOL) return get(&R::GetBool, &R::GetRepeatedBool);
  } else if constexpr (std::is_enum_v<T>) {
    if (kind == Field::CPPTYPE_ENUM) {
      return static_cast<T>(
          NarrowProtobuf<std::underlying_type_t<T>>(get(&R::GetEnumValue, &R::GetRepeatedEnumValue), path));
    }
  } else {
    static_assert(
        std::is_arithmetic_v<T>,
        "a protobuf field is read as a number, bool, enum, std::string, or a std::vector or std::optional of these");
    switch (kind) {
      case Field::CPPTYPE_INT32:
        return NarrowProtobuf<T>(get(&R::GetInt32, &R::GetRepeatedInt32), path);
      case Field::CPPTYPE_INT64:
        return NarrowProtobuf<T>(get(&R::GetInt64, &R::GetRepeatedInt64), path);
      case Field::CPPTYPE_UINT32:
        return NarrowProtobuf<T>(get(&R::GetUInt32, &R::GetRepeatedUInt32), path);
      case Field::CPPTYPE_UINT64:
        return NarrowProtobuf<T>(get(&R::GetUInt64, &R::GetRepeatedUInt64), path);
      case Field::CPPTYPE_ENUM:
        return NarrowProtobuf<T>(get(&R::GetEnumValue, &R::GetRepeatedEnumValue), path);
      default:
        break;
    }
    if constexpr (std::is_floating_point_v<T>) {
      if (kind == Field::CPPTYPE_FLOAT) return NarrowProtobuf<T>(get(&R::GetFloat, &R::GetRepeatedFloat), path);
      if (kind == Field::CPPTYPE_DOUBLE) return NarrowProtobuf<T>(get(&R::GetDouble, &R::GetRepeatedDouble), path);
    }
  }
  RefuseProtobufPath(path, "the field is of protobuf type " + std::string(place.field->type_name()) +
                               ", which the C++ type asked for does not hold");
}

template <class T>
T ReadProtobufField(const google::protobuf::Message& message, std::string_view path) {
  ProtobufPlace place = FindProtobufField(message, path);
  if (place.message == nullptr) {
    if constexpr (kIsOptional<T>) {
      return T{};
    } else {
      throw FormatError(std::string(path), 0, "the message or element on the way to this field is missing");
    }
  }
  if constexpr (kIsVector<T>) {
    if (!place.field->is_repeated() || place.index >= 0) RefuseProtobufPath(path, "the field is not repeated");
    T all;
    const int size = place.message->GetReflection()->FieldSize(*place.message, place.field);
    for (place.index = 0; place.index < size; ++place.index) {
      all.push_back(ReadProtobufScalar<typename T::value_type>(place, path));
    }
    return all;
  } else {
    if (place.field->is_repeated() && place.index < 0) {
      RefuseProtobufPath(path, "the field is repeated: ask for a std::vector, or say which element");
    }
    if constexpr (kIsOptional<T>) {
      const bool absent =
          place.field->has_presence() && !place.message->GetReflection()->HasField(*place.message, place.field);
      return absent ? T{} : T(ReadProtobufScalar<typename T::value_type>(place, path));
    } else {
      return ReadProtobufScalar<T>(place, path);
    }
  }
}

}  // namespace millrace::detail
