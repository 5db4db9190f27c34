// Reading values, and the order in which sources beat each other.
#include "common/config/config.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "common/config/option_value.h"
#include "common/io/file.h"
#include "common/nearest.h"

namespace millrace {

namespace {

constexpr std::string_view kPrefix = "MILLRACE__";
constexpr std::uint64_t kFileBytesMax = 1 << 20;

const OptionSpec* FindSpec(std::span<const OptionSpec> schema, std::string_view key) {
  const auto found = std::ranges::find(schema, key, &OptionSpec::key);
  return found == schema.end() ? nullptr : &*found;
}

bool IsSection(std::span<const OptionSpec> schema, std::string_view path) {
  return std::ranges::any_of(schema, [&](const OptionSpec& spec) {
    return spec.key.size() > path.size() && spec.key.starts_with(path) && spec.key[path.size()] == '.';
  });
}

// "unknown key 'driver.liten', did you mean 'driver.listen'?" Candidates are the keys and sections beside it, then all
// keys.
std::string UnknownKey(std::span<const OptionSpec> schema, std::string_view key) {
  const std::size_t depth = static_cast<std::size_t>(std::ranges::count(key, '.'));
  std::vector<std::string_view> beside;
  std::vector<std::string_view> all;
  for (const OptionSpec& spec : schema) {
    std::size_t end = 0;
    for (std::size_t i = 0; i <= depth && end != spec.key.npos; ++i) end = spec.key.find('.', i == 0 ? 0 : end + 1);
    beside.push_back(spec.key.substr(0, end));
    all.push_back(spec.key);
  }
  std::string hint = DidYouMean(key, beside);
  if (hint.empty()) hint = DidYouMean(key, all);
  return Concat("unknown key '", key.substr(0, 200), "'",
                hint.empty() ? ": none is like it, see the list of all keys" : hint);
}

std::string KeyOfVariable(std::string_view name) {
  std::string key;
  for (std::size_t i = kPrefix.size(); i < name.size(); ++i) {
    if (name[i] == '_' && i + 1 < name.size() && name[i + 1] == '_') {
      key += '.';
      ++i;
    } else {
      key += static_cast<char>(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    }
  }
  return key;
}

}  // namespace

class ConfigLoader {
 public:
  explicit ConfigLoader(std::span<const OptionSpec> schema) : schema_(schema) {
    for (const OptionSpec& spec : schema_) {
      const absl::Status good = SetText(spec.key, std::string(spec.default_text), "default");
      if (!good.ok()) std::fprintf(stderr, "option table: %s\n", Message(good).c_str());
      MR_CHECK(good.ok());
    }
  }

  absl::Status ReadYaml(const std::string& file) {
    absl::StatusOr<std::string> text = ReadFile(file, kFileBytesMax);
    if (!text.ok()) return Annotate(text.status(), "configuration");
    YAML::Node root;
    try {
      root = YAML::Load(*text);
    } catch (const YAML::Exception& error) {
      return InvalidArgument(Place(file, error.mark), ": this is not YAML: ", error.msg);
    }
    file_ = file;
    try {
      return root.IsNull() ? absl::OkStatus() : ReadMap(root, "");
    } catch (const YAML::Exception& error) {
      return InvalidArgument(Place(file, error.mark), ": ", error.msg);
    }
  }

  absl::Status ReadEnvironment(const char* const* environment) {
    for (; environment != nullptr && *environment != nullptr; ++environment) {
      const std::string_view entry = *environment;
      if (!entry.starts_with(kPrefix)) continue;
      const std::size_t equals = std::min(entry.find('='), entry.size());
      const std::string_view name = entry.substr(0, equals);
      const std::string_view value = entry.substr(std::min(equals + 1, entry.size()));
      MR_RETURN_IF_ERROR(SetText(KeyOfVariable(name), std::string(value), Concat("environment ", name)));
    }
    return absl::OkStatus();
  }

  absl::Status ReadSets(const std::vector<std::string>& sets) {
    for (const std::string& set : sets) {
      const std::size_t equals = set.find('=');
      if (equals == set.npos || equals == 0) return InvalidArgument("--set ", set, ": write --set key=value");
      MR_RETURN_IF_ERROR(SetText(set.substr(0, equals), set.substr(equals + 1), "--set"));
    }
    return absl::OkStatus();
  }

  Config Take() { return std::move(config_); }

 private:
  static std::string Place(const std::string& file, const YAML::Mark& mark) {
    return mark.is_null() ? file : Concat(file, ":", mark.line + 1, ":", mark.column + 1);
  }

  absl::Status ReadMap(const YAML::Node& map, const std::string& section) {
    if (!map.IsMap()) {
      return InvalidArgument(Place(file_, map.Mark()), ": ", section.empty() ? "the file" : Concat("'", section, "'"),
                             " must hold keys and values");
    }
    std::map<std::string, std::string> seen;
    for (const auto& entry : map) {
      const std::string place = Place(file_, entry.first.Mark());
      if (!entry.first.IsScalar()) return InvalidArgument(place, ": a key must be a word");
      const std::string key = section.empty() ? entry.first.Scalar() : Concat(section, ".", entry.first.Scalar());
      if (const auto [before, fresh] = seen.emplace(key, place); !fresh) {
        return InvalidArgument(place, ": key '", key, "' is given twice, first at ", before->second);
      }
      MR_RETURN_IF_ERROR(ReadEntry(key, entry.second, place));
    }
    return absl::OkStatus();
  }

  absl::Status ReadEntry(const std::string& key, const YAML::Node& value, const std::string& place) {
    const OptionSpec* spec = FindSpec(schema_, key);
    if (spec == nullptr) {
      if (!IsSection(schema_, key)) return InvalidArgument(place, ": ", UnknownKey(schema_, key));
      return value.IsNull() ? absl::OkStatus() : ReadMap(value, key);
    }
    const std::string value_place = value.IsNull() ? place : Place(file_, value.Mark());
    if (value.IsNull()) return InvalidArgument(place, ": key '", key, "' has no value");
    if (spec->type == OptionType::kList && value.IsSequence()) return ReadList(*spec, value, value_place);
    if (!value.IsScalar()) {
      return InvalidArgument(value_place, ": ", key, " must be one value, ", TypeName(spec->type),
                             ", not a list or a section");
    }
    return SetText(key, value.Scalar(), value_place);
  }

  absl::Status ReadList(const OptionSpec& spec, const YAML::Node& sequence, const std::string& place) {
    std::vector<std::string> items;
    for (const YAML::Node& item : sequence) {
      if (!item.IsScalar())
        return InvalidArgument(Place(file_, item.Mark()), ": ", spec.key, " must be a list of words");
      items.push_back(item.Scalar());
    }
    config_.values_.insert_or_assign(std::string(spec.key), Config::Value{spec.type, std::move(items), place});
    return absl::OkStatus();
  }

  absl::Status SetText(std::string_view key, std::string text, const std::string& origin) {
    const OptionSpec* spec = FindSpec(schema_, key);
    if (spec == nullptr) return InvalidArgument(origin, ": ", UnknownKey(schema_, key));
    absl::StatusOr<OptionValue> value = ParseOptionValue(*spec, std::move(text));
    if (!value.ok()) return InvalidArgument(origin, ": ", key, ": ", Message(value.status()));
    config_.values_.insert_or_assign(std::string(key), Config::Value{spec->type, std::move(*value), origin});
    return absl::OkStatus();
  }

  const std::span<const OptionSpec> schema_;
  std::string file_;
  Config config_;
};

absl::StatusOr<Config> LoadConfig(std::span<const OptionSpec> schema, const std::string& file,
                                  const std::vector<std::string>& sets, const char* const* environment) {
  ConfigLoader loader(schema);
  if (!file.empty()) MR_RETURN_IF_ERROR(loader.ReadYaml(file));
  MR_RETURN_IF_ERROR(loader.ReadEnvironment(environment));
  MR_RETURN_IF_ERROR(loader.ReadSets(sets));
  return loader.Take();
}

absl::StatusOr<Config> LoadConfig(std::span<const OptionSpec> schema, const std::string& file,
                                  const std::vector<std::string>& sets) {
  return LoadConfig(schema, file, sets, environ);
}

const Config::Value& Config::Find(std::string_view key, OptionType type) const {
  const auto found = values_.find(key);
  if (found == values_.end() || found->second.type != type) {
    std::fprintf(stderr,
                 "configuration: the program asks for '%.*s', which its option table does not have in that type\n",
                 static_cast<int>(key.size()), key.data());
    std::abort();
  }
  return found->second;
}

const std::string& Config::String(std::string_view key) const {
  return std::get<std::string>(Find(key, OptionType::kString).value);
}
bool Config::Bool(std::string_view key) const { return std::get<bool>(Find(key, OptionType::kBool).value); }
std::int64_t Config::Integer(std::string_view key) const {
  return std::get<std::int64_t>(Find(key, OptionType::kInteger).value);
}
double Config::Number(std::string_view key) const { return std::get<double>(Find(key, OptionType::kNumber).value); }
std::int64_t Config::DurationUs(std::string_view key) const {
  return std::get<std::int64_t>(Find(key, OptionType::kDuration).value);
}
std::uint64_t Config::SizeBytes(std::string_view key) const {
  return static_cast<std::uint64_t>(std::get<std::int64_t>(Find(key, OptionType::kSize).value));
}
const std::vector<std::string>& Config::List(std::string_view key) const {
  return std::get<std::vector<std::string>>(Find(key, OptionType::kList).value);
}
const std::string& Config::Origin(std::string_view key) const {
  const auto found = values_.find(key);
  MR_CHECK(found != values_.end());
  return found->second.origin;
}

}  // namespace millrace
