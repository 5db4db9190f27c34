// The text of --help-config.
#include "common/config/config.h"
#include "common/config/option_value.h"

namespace millrace {
namespace {

constexpr std::size_t kColumns = 100;
constexpr std::string_view kIndent = "    ";

// Breaks at spaces.
std::string Wrap(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > kColumns - kIndent.size()) {
      end = text.rfind(' ', kColumns - kIndent.size());
      if (end == text.npos || end == 0) end = std::min(text.find(' '), text.size());
    }
    out += Concat(kIndent, text.substr(0, end), "\n");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string Kind(const OptionSpec& spec) {
  if (!spec.choices.empty()) return std::string(spec.choices);
  return Concat(TypeName(spec.type), spec.unit.empty() ? "" : ", ", spec.unit);
}

}  // namespace

std::string DescribeKeys(std::span<const OptionSpec> schema) {
  std::string out;
  for (const OptionSpec& spec : schema) {
    const std::string shown = spec.default_text.empty() ? "none" : std::string(spec.default_text);
    out += Concat(spec.key, "  [", Kind(spec), "]  default: ", shown, "\n", Wrap(spec.doc));
  }
  return out;
}

std::string Describe(std::span<const OptionSpec> schema) {
  return Concat(
      "Settings. Later beats earlier: the default, the file, the environment (MILLRACE__ and the key in capitals,\n"
      "'__' for '.'), --set key=value.\n\n",
      DescribeKeys(schema));
}

}  // namespace millrace
