// Which record type FlatMap, MapPartitions and their kin give, and readable errors when their function does not fit.
#pragma once

#include <ranges>
#include <string_view>
#include <type_traits>

#include "millrace/batch_context.h"
#include "millrace/emitter.h"

namespace millrace::detail {

template <class>
inline constexpr bool kNever = false;

template <class F, class Out, class... In>
inline constexpr bool kTakesEmitter = std::is_invocable_v<const F&, const In&..., Emitter<Out>&>;

// `Named` is what the author wrote in FlatMap<Named>, void if nothing; `Default` is what emit takes then.
template <class Named, class Default, class F, class... In>
constexpr auto DeduceEmitted() {
  if constexpr (!std::is_void_v<Named>) {
    static_assert(kTakesEmitter<F, Named, In...> || std::is_invocable_v<const F&, const In&...>,
                  "the function must be callable, as const, as f(input, emit), or as f(input) and give a range");
    return std::type_identity<Named>();
  } else if constexpr (kTakesEmitter<F, Default, In...>) {
    return std::type_identity<Default>();
  } else if constexpr (std::is_invocable_v<const F&, const In&...>) {
    using Result = std::remove_cvref_t<std::invoke_result_t<const F&, const In&...>>;
    static_assert(std::ranges::input_range<Result>, "the function must give a range of records, or take an emitter");
    static_assert(!std::is_convertible_v<Result, std::string_view>,
                  "the function gives a text, which is no range of records: use Map, or give a vector of texts");
    return std::type_identity<std::ranges::range_value_t<Result>>();
  } else {
    static_assert(kNever<F>,
                  "the function must be callable, as const, as f(input, emit), or as f(input) and give a range");
  }
}

template <class Named, class Default, class F, class... In>
using Emitted = typename decltype(DeduceEmitted<Named, Default, F, In...>())::type;

// Is f called with the batch before its inputs? Asked last, for the body of a function of auto arguments is compiled
// with whatever it is asked for.
template <class F, class Out, class... In>
constexpr bool TakesBatch() {
  if constexpr (kTakesEmitter<F, Out, In...>) {
    return false;
  } else if constexpr (std::is_invocable_v<const F&, const In&...>) {
    return false;
  } else {
    return kTakesEmitter<F, Out, BatchContext, In...> ||
           std::is_invocable_v<const F&, const BatchContext&, const In&...>;
  }
}
template <class F, class Out, class... In>
inline constexpr bool kTakesBatch = TakesBatch<F, Out, In...>();

// The record type of a function that may take the batch.
template <class Named, class Default, class F, class... In>
constexpr auto DeduceEmittedOfBatch() {
  using Guess = std::conditional_t<std::is_void_v<Named>, Default, Named>;
  if constexpr (kTakesBatch<F, Guess, In...>) {
    return DeduceEmitted<Named, Default, F, BatchContext, In...>();
  } else {
    return DeduceEmitted<Named, Default, F, In...>();
  }
}
template <class Named, class Default, class F, class... In>
using EmittedOfBatch = typename decltype(DeduceEmittedOfBatch<Named, Default, F, In...>())::type;

}  // namespace millrace::detail
