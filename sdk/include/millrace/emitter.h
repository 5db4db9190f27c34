// Emitter<T>: what FlatMap and MapPartitions hand to a function that gives any number of records for its input.
//
//   lines.FlatMap([](std::string_view line, auto&& emit) { for (auto word : Words(line)) emit(word); })
//   lines.FlatMap<int>([](std::string_view line, auto&& emit) { emit(Width(line)); emit(Height(line)); })
//
// The type that is emitted is FlatMap's template argument; left out, it is the input's. A std::string_view that is
// emitted must point into the input record or something that lives longer: it is read after the function has returned.
// Text that the function makes itself is emitted from FlatMap<std::string>. An emitter is a small handle, valid during
// the call; copy it freely.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/internal/operator.h"

namespace millrace {

template <class T>
class Emitter {
 public:
  explicit Emitter(detail::Outbox<T>& out) : out_(&out) {}

  void operator()(const T& record) const { out_->Add(record); }
  void operator()(T&& record) const { out_->Add(std::move(record)); }

  template <class U>
  requires(!std::same_as<std::remove_cvref_t<U>, T>) void operator()(U&& record) const {
    static_assert(!(std::same_as<T, std::string_view> && std::same_as<std::remove_cvref_t<U>, std::string>),
                  "a std::string emitted as std::string_view would be read after its end: "
                  "name the type that is emitted, as in FlatMap<std::string>(...)");
    static_assert(std::constructible_from<T, U>,
                  "what is emitted is not of the operator's output type: name that type, as in FlatMap<Type>(...)");
    out_->Add(std::forward<U>(record));
  }

 private:
  detail::Outbox<T>* out_;
};

}  // namespace millrace
