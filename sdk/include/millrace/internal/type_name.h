// TypeName<T>(): a C++ type as its author would write it, for plans and error messages: "std::pair<std::string, long>".
#pragma once

#include <cxxabi.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

namespace millrace::detail {

template <class T>
struct TypeNamer {
  static std::string Name() {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(typeid(T).name(), nullptr, nullptr, &status),
                                                      &std::free);
    return status == 0 ? std::string(name.get()) : std::string(typeid(T).name());
  }
};

template <class T>
std::string TypeName() {
  return TypeNamer<T>::Name();
}

template <class... Ts>
std::string TypeNames() {
  std::string names;
  ((names += names.empty() ? TypeName<Ts>() : ", " + TypeName<Ts>()), ...);
  return names;
}

template <>
struct TypeNamer<std::string> {
  static std::string Name() { return "std::string"; }
};
template <>
struct TypeNamer<std::string_view> {
  static std::string Name() { return "std::string_view"; }
};
template <class A, class B>
struct TypeNamer<std::pair<A, B>> {
  static std::string Name() { return "std::pair<" + TypeNames<A, B>() + ">"; }
};
template <class... Ts>
struct TypeNamer<std::tuple<Ts...>> {
  static std::string Name() { return "std::tuple<" + TypeNames<Ts...>() + ">"; }
};
template <class T>
struct TypeNamer<std::optional<T>> {
  static std::string Name() { return "std::optional<" + TypeName<T>() + ">"; }
};
template <class T>
struct TypeNamer<std::vector<T>> {
  static std::string Name() { return "std::vector<" + TypeName<T>() + ">"; }
};
template <class K, class V>
struct TypeNamer<std::map<K, V>> {
  static std::string Name() { return "std::map<" + TypeNames<K, V>() + ">"; }
};
template <class K, class V>
struct TypeNamer<std::unordered_map<K, V>> {
  static std::string Name() { return "std::unordered_map<" + TypeNames<K, V>() + ">"; }
};

}  // namespace millrace::detail
