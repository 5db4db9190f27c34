#include "driver/artifacts/elf_note.h"

#include "driver/artifacts/elf_image.h"
// Only the constants of the ABI: the driver links nothing of the SDK.
#include "sdk/include/millrace/engine.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace millrace {
namespace {

constexpr std::size_t kMaxNoteText = 4096;
constexpr std::size_t kMaxJobName = 64;

absl::Status Malformed(std::string_view why) {
  return InvalidArgument("the job library's note (", engine::kNoteSection, ") is malformed: ", why,
                         "; build it with the SDK's MILLRACE_JOB and nothing else in that section");
}

bool Printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

std::string_view Value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(';'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=')
      return pair.substr(key.size() + 1);
  }
  return {};
}

bool GoodJobName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxJobName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

absl::StatusOr<JobNote> ParseText(std::string_view text) {
  while (text.ends_with('\0')) text.remove_suffix(1);
  if (text.size() > kMaxNoteText)
    return Malformed(Concat("its text has ", text.size(), " bytes, at most ", kMaxNoteText, " are allowed"));
  if (!Printable(text)) return Malformed("its text has unprintable bytes");
  const std::string_view abi = Value(text, "abi");
  JobNote note;
  const auto [end, error] = std::from_chars(abi.data(), abi.data() + abi.size(), note.abi);
  if (abi.empty() || error != std::errc() || end != abi.data() + abi.size()) return Malformed("it has no abi=NUMBER");
  note.sdk = Value(text, "sdk");
  note.compiler = Value(text, "compiler");
  note.job = Value(text, "job");
  if (note.sdk.empty()) return Malformed("it has no sdk=VERSION");
  // Another ABI may have other rules for names; it is refused with a better message later.
  if (note.abi == engine::kAbiVersion && !GoodJobName(note.job)) {
    return Malformed(Concat("job name '", note.job, "' is not 1 to ", kMaxJobName, " characters of A-Z a-z 0-9 . _ -"));
  }
  return note;
}

}  // namespace

absl::StatusOr<JobNote> ReadJobNote(std::string_view image) {
  MR_ASSIGN_OR_RETURN(const ElfImage elf, ElfImage::Parse(image));
  MR_ASSIGN_OR_RETURN(const std::optional<std::string_view> section, elf.Section(engine::kNoteSection));
  if (!section) {
    return InvalidArgument(
        "the file has no MILLRACE_JOB: its section ", engine::kNoteSection,
        " is missing; put MILLRACE_JOB(Name, ctx) { … } in one source file and build it with the installed SDK");
  }
  auto notes = ParseNotes(*section);
  if (!notes) return Malformed("its entries do not fit its section");
  std::optional<std::string_view> text;
  for (const ElfNote& note : *notes) {
    if (note.owner != engine::kNoteOwner || note.type != engine::kNoteType) continue;
    if (text) return InvalidArgument("the job library has more than one MILLRACE_JOB; a library holds exactly one job");
    text = note.description;
  }
  if (!text) return Malformed(Concat("it has no entry of owner ", engine::kNoteOwner, " and type ", engine::kNoteType));
  return ParseText(*text);
}

absl::Status CheckCompatible(const JobNote& note) {
  if (note.abi == engine::kAbiVersion) return absl::OkStatus();
  return FailedPrecondition("the job library was built for SDK ABI ", note.abi, " (SDK ", note.sdk,
                            "); this cluster has ABI ", engine::kAbiVersion, " (SDK ", engine::kSdkVersion,
                            "): rebuild the job against the installed SDK");
}

}  // namespace millrace
