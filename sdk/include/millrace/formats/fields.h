// What the fields of a struct, and the values of an enum, are called in JSON and CSV. Said once, beside the type:
//
//   enum class Kind { kView, kClick };
//   MILLRACE_ENUM(Kind, {"view", Kind::kView}, {"click", Kind::kClick})
//   struct Event { std::string_view user; Kind kind; std::optional<double> price; };
//   MILLRACE_FIELDS(Event, user, kind, price)
//
// Members that are not listed are left alone. For a name that is no C++ name, or a field that may be missing and then
// keeps what the struct gives it, write the function that the macro would write:
//
//   constexpr auto MillraceFields(const Event*) {
//     return millrace::FieldList(millrace::Field("@user", &Event::user), millrace::Field("n", &Event::n).Defaulted());
//   }
//
// In the namespace of the type, or as a friend inside of it. An enum without names is read and written as its number.
// All of it is known at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace millrace {

template <class T, class M>
struct FieldOf {
  std::string_view name;
  M T::*member;
  bool defaulted = false;

  constexpr FieldOf Defaulted() const { return {name, member, true}; }
};

template <class T, class M>
constexpr FieldOf<T, M> Field(std::string_view name, M T::*member) {
  return {name, member, false};
}

template <class... F>
constexpr std::tuple<F...> FieldList(const F&... fields) {
  return {fields...};
}

template <class E>
struct EnumName {
  std::string_view name;
  E value;
};

template <class T>
concept HasFields = requires {
  MillraceFields(static_cast<const T*>(nullptr));
};

template <class T>
concept HasEnumNames = std::is_enum_v<T> && requires {
  MillraceNames(static_cast<const T*>(nullptr));
};

namespace detail {

template <class T>
inline constexpr auto kFieldsOf = MillraceFields(static_cast<const T*>(nullptr));
template <class T>
inline constexpr std::size_t kFieldCount = std::tuple_size_v<std::remove_const_t<decltype(kFieldsOf<T>)>>;

// f(integral_constant<index>) for every field.
template <class T, class F>
constexpr void ForEachFieldIndex(const F& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (f(std::integral_constant<std::size_t, I>()), ...); }
  (std::make_index_sequence<kFieldCount<T>>());
}

template <class E>
constexpr std::string_view NameOfEnum(E value) {
  for (const EnumName<E>& one : MillraceNames(static_cast<const E*>(nullptr))) {
    if (one.value == value) return one.name;
  }
  return {};
}

}  // namespace detail
}  // namespace millrace

#define MILLRACE_FIELDS(Type, ...)                                                     \
  [[maybe_unused]] constexpr auto MillraceFields(const Type*) {                        \
    return ::millrace::FieldList(MILLRACE_EXPAND_(MILLRACE_EACH_(Type, __VA_ARGS__))); \
  }
#define MILLRACE_ENUM(Type, ...)                                       \
  [[maybe_unused]] constexpr auto MillraceNames(const Type*) {         \
    return ::std::to_array<::millrace::EnumName<Type>>({__VA_ARGS__}); \
  }

// The list is taken apart by expanding it again and again, at most 256 times.
#define MILLRACE_PARENS_ ()
#define MILLRACE_EXPAND_(...) MILLRACE_EXPAND3_(MILLRACE_EXPAND3_(MILLRACE_EXPAND3_(MILLRACE_EXPAND3_(__VA_ARGS__))))
#define MILLRACE_EXPAND3_(...) MILLRACE_EXPAND2_(MILLRACE_EXPAND2_(MILLRACE_EXPAND2_(MILLRACE_EXPAND2_(__VA_ARGS__))))
#define MILLRACE_EXPAND2_(...) MILLRACE_EXPAND1_(MILLRACE_EXPAND1_(MILLRACE_EXPAND1_(MILLRACE_EXPAND1_(__VA_ARGS__))))
#define MILLRACE_EXPAND1_(...) __VA_ARGS__
#define MILLRACE_EACH_(Type, name, ...) \
  ::millrace::Field(#name, &Type::name) __VA_OPT__(, MILLRACE_EACH_AGAIN_ MILLRACE_PARENS_(Type, __VA_ARGS__))
#define MILLRACE_EACH_AGAIN_() MILLRACE_EACH_
