// ForEachWord(line, f): calls f(word) for every run of characters of a line that are not blanks, tabs or line ends. The
// words are views into the line. Stateless; throws only what f throws.
//
//   lines.FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
#pragma once

#include <cstddef>
#include <string_view>

namespace millrace {

template <class F>
void ForEachWord(std::string_view line, F&& f) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  const char* at = line.data();
  const char* const end = at + line.size();
  while (true) {
    while (at != end && is_blank(*at)) ++at;
    if (at == end) return;
    const char* const begin = at;
    while (at != end && !is_blank(*at)) ++at;
    f(std::string_view(begin, static_cast<std::size_t>(at - begin)));
  }
}

}  // namespace millrace
