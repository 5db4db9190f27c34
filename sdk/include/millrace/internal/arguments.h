// The arguments that submit gave a job, read as the type that the job asks for, and a check for those that no one asked
// for. One thread. Errors: std::invalid_argument with the argument, its value and what it should be.
#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <map>
#include <ratio>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/engine.h"
#include "millrace/internal/text.h"

namespace millrace::detail {

class Arguments {
 public:
  explicit Arguments(engine::Options given) : given_(std::move(given)) {}

  // nullptr when it was not given.
  const std::string* Find(std::string_view name) {
    asked_.emplace(name);
    const auto at = given_.find(std::string(name));
    return at == given_.end() ? nullptr : &at->second;
  }

  [[noreturn]] static void Bad(std::string_view name, std::string_view value, std::string_view wanted) {
    throw std::invalid_argument(Cat("argument ", name, "=", value, ": ", wanted));
  }

  template <class T>
  requires std::is_arithmetic_v<T>
  static T ParseNumber(std::string_view name, std::string_view text) {
    if constexpr (std::same_as<T, bool>) {
      if (text == "true" || text == "1") return true;
      if (text == "false" || text == "0") return false;
      Bad(name, text, "must be true or false");
    } else {
      T value{};
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error == std::errc::result_out_of_range) Bad(name, text, "is out of range");
      if (error != std::errc() || end != text.data() + text.size()) {
        Bad(name, text, std::is_integral_v<T> ? "must be a whole number" : "must be a number");
      }
      return value;
    }
  }

  // "250ms", "5s", "200us", "2m", "1h".
  static std::chrono::microseconds ParseDuration(std::string_view name, std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const auto& [known, us] : {std::pair<std::string_view, std::int64_t>{"us", 1},
                                    {"ms", 1'000},
                                    {"s", 1'000'000},
                                    {"m", 60'000'000},
                                    {"h", 3'600'000'000}}) {
      if (error == std::errc() && unit == known && value >= 0 && value <= INT64_MAX / us) {
        return std::chrono::microseconds(value * us);
      }
    }
    Bad(name, text, "must be a time as 250ms, 5s, 200us, 2m or 1h");
  }

  // Refuses what was given and never asked for: most often a misspelt name, which would silently do nothing.
  void CheckAllUsed() const {
    for (const auto& [name, value] : given_) {
      if (asked_.contains(name)) continue;
      std::string known;
      for (const std::string& one : asked_) known += known.empty() ? one : ", " + one;
      throw std::invalid_argument(Cat("argument ", name, "=", value, " is not one of this job's; it asks for ",
                                      known.empty() ? "none" : known));
    }
  }

 private:
  const engine::Options given_;
  std::set<std::string> asked_;
};

}  // namespace millrace::detail
