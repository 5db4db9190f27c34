// What the functions given to UpdateStateByKey and MapWithState take and give, and readable errors when they do not
// fit. Nothing here runs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "millrace/batch_context.h"
#include "millrace/internal/emitted_type.h"
#include "millrace/internal/std_types.h"

namespace millrace {

template <class S>
class StateHandle;

namespace detail {

// Times to live and timeouts: no longer than this.
inline constexpr std::int64_t kLongestUs = std::int64_t{100} * 366 * 86'400 * 1'000'000;

// Calls f with a last argument that it may leave out.
template <class F, class... Args>
decltype(auto) CallWithBatch(const F& f, const BatchContext& batch, Args&&... args) {
  if constexpr (std::is_invocable_v<const F&, Args..., const BatchContext&>) {
    return std::invoke(f, std::forward<Args>(args)..., batch);
  } else {
    return std::invoke(f, std::forward<Args>(args)...);
  }
}
template <class F, class... Args>
inline constexpr bool kCallsWithBatch =
    std::is_invocable_v<const F&, Args...> || std::is_invocable_v<const F&, Args..., const BatchContext&>;
template <class F, class... Args>
constexpr auto DeduceResult() {
  if constexpr (std::is_invocable_v<const F&, Args..., const BatchContext&>) {
    return std::type_identity<std::remove_cvref_t<std::invoke_result_t<const F&, Args..., const BatchContext&>>>();
  } else {
    return std::type_identity<std::remove_cvref_t<std::invoke_result_t<const F&, Args...>>>();
  }
}
template <class F, class... Args>
using ResultWithBatch = typename decltype(DeduceResult<F, Args...>())::type;

// Stands for an optional of any type, to find out which one a function takes.
struct AnyOptional {
  template <class S>
  operator std::optional<S>() const;
};

// The state's type: `Named` is what the author wrote in UpdateStateByKey<Named>, void if nothing.
template <class Named, class F, class K, class V>
constexpr auto DeduceUpdated() {
  using Old = std::conditional_t<std::is_void_v<Named>, AnyOptional, std::optional<Named>>;
  if constexpr (kCallsWithBatch<F, const K&, std::span<const V>, Old>) {
    using Result = ResultWithBatch<F, const K&, std::span<const V>, Old>;
    if constexpr (!std::is_void_v<Named>) {
      static_assert(std::is_convertible_v<Result, std::optional<Named>>,
                    "UpdateStateByKey<State> needs a function that gives std::optional<State>");
      return std::type_identity<Named>();
    } else {
      static_assert(kIsOptional<Result>,
                    "UpdateStateByKey needs a function that gives std::optional<State>: the new state, or nothing to "
                    "remove the key");
      return std::type_identity<typename Result::value_type>();
    }
  } else {
    static_assert(kNever<F>,
                  "UpdateStateByKey needs a function callable, as const, as f(key, std::span<const Value>, "
                  "std::optional<State>), with a const BatchContext& as fourth argument if it likes; a function of "
                  "auto arguments needs the state's type: UpdateStateByKey<State>(f)");
  }
}
template <class Named, class F, class K, class V>
using Updated = typename decltype(DeduceUpdated<Named, F, K, V>())::type;

// The S of the StateHandle<S>& that a function takes as third argument; void when it cannot be seen.
template <class F>
struct HandleArgument {
  using Type = void;
};
template <class R, class A, class B, class S, class... More>
struct HandleArgument<R (*)(A, B, StateHandle<S>&, More...)> {
  using Type = S;
};
template <class R, class A, class B, class S, class... More>
struct HandleArgument<R(A, B, StateHandle<S>&, More...)> {
  using Type = S;
};
template <class C, class R, class A, class B, class S, class... More>
struct HandleArgument<R (C::*)(A, B, StateHandle<S>&, More...) const> {
  using Type = S;
};
template <class C, class R, class A, class B, class S, class... More>
struct HandleArgument<R (C::*)(A, B, StateHandle<S>&, More...) const noexcept> {
  using Type = S;
};
template <class F>
requires requires { &F::operator(); }
struct HandleArgument<F> : HandleArgument<decltype(&F::operator())> {};

}  // namespace detail
}  // namespace millrace
