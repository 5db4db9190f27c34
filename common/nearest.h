// "Did you mean …": the candidate with the smallest edit distance, if it is near enough to be what was meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace millrace {

// Empty when nothing is near (more than a third of the word, or three edits, differ).
std::string Nearest(std::string_view word, std::span<const std::string_view> candidates);

// ", did you mean 'x'?" or empty: made to be put at the end of an error.
std::string DidYouMean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace millrace
